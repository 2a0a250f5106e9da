import { expect, test } from 'vitest';
import { SubscriberBackoff } from './subscriber-backoff.js';

/** The pauses that 200 backoffs make, ms. */
function pausesAfter(make: (backoff: SubscriberBackoff) => void): number[] {
  return Array.from({ length: 200 }, () => {
    const backoff = new SubscriberBackoff({ minDelayMs: 1_000, maxDelayMs: 6_000 });
    make(backoff);
    return backoff.delayMs;
  });
}

function times(count: number, isFatal = false) {
  return (backoff: SubscriberBackoff): void => {
    for (let failure = 0; failure < count; failure += 1) backoff.failed(isFatal);
  };
}

test('the first attempt waits for nothing', () => {
  expect(new SubscriberBackoff({ minDelayMs: 1_000, maxDelayMs: 6_000 }).delayMs).toBe(0);
});

// A few ms pass between the pause and its reading.
test.each([
  [1, 2_000],
  [2, 4_000],
  [3, 6_000],
  [50, 6_000],
])('after %i failures the pauses are spread from the shortest to %i ms', (failures, longest) => {
  const pauses = pausesAfter(times(failures));
  expect(Math.min(...pauses)).toBeGreaterThan(990);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(longest);
  expect(Math.max(...pauses) - Math.min(...pauses)).toBeGreaterThan((longest - 1_000) / 2);
});

test('after a failure that no retry makes better they go up to 30 s', () => {
  const pauses = pausesAfter(times(1, true));
  expect(Math.max(...pauses)).toBeGreaterThan(15_000);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
});

test('after a connection that was of use they are spread below the shortest', () => {
  const pauses = pausesAfter((backoff) => backoff.lost());
  expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
  expect(Math.min(...pauses)).toBeLessThan(500);
});

test('a success starts from the shortest again', () => {
  const backoff = new SubscriberBackoff({ minDelayMs: 1_000, maxDelayMs: 6_000 });
  times(5)(backoff);
  backoff.succeeded();
  expect(backoff.failures).toBe(0);
  expect(backoff.failed(false)).toBe(2_000);
});
