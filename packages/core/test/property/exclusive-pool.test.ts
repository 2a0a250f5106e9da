import { useLeakCheck } from '@redis-pool/testkit/vitest';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import { type Action, PoolUnderTest } from './exclusive-pool-model.js';

const numRuns = Number(process.env.FUZZ_RUNS ?? 400);

useLeakCheck();
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const choice = fc.nat(20);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('acquire'), timeoutMs: fc.integer({ min: 1, max: 400 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('dialSucceeds'), choice, usable: fc.constant(true) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('release'),
      choice,
      reusable: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('abort'), choice }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('dialFails'), choice }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('kill'), choice }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('time'), ms: fc.integer({ min: 1, max: 700 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('dialSucceeds'), choice, usable: fc.constant(false) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('reset', 'evict', 'outage', 'recovery') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('othersTake'), places: fc.nat(4) }) },
) as fc.Arbitrary<Action>;

const options = fc.record({
  max: fc.integer({ min: 1, max: 8 }),
  minIdle: fc.nat(2),
  maxWaiting: fc.integer({ min: 0, max: 6 }),
});

describe('the laws of the exclusive pool', () => {
  test('hold after each of any actions, and in the end everybody is settled and everything given back', async () => {
    const actions = fc.array(action, { minLength: 1, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(options, actions, async (limits, steps) => {
        const pool = new PoolUnderTest(limits);
        for (const step of steps) await pool.perform(step);
        await pool.finish();
      }),
      { numRuns },
    );
  });

  test('hold when the pool is closed at any moment', async () => {
    const actions = fc.array(action, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(options, actions, actions, async (limits, before, after) => {
        const pool = new PoolUnderTest(limits);
        for (const step of before) await pool.perform(step);
        await pool.perform({ type: 'close' });
        for (const step of after) await pool.perform(step);
        await pool.finish();
      }),
      { numRuns },
    );
  });
});
