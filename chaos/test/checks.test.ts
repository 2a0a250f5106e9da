import { setTimeout as sleep } from 'node:timers/promises';
import { RedisPoolError } from '@redis-pool/core';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, describe, expect, test } from 'vitest';
import { ElementLedger } from '../src/checks/element-ledger.js';
import { ABORTED, endOf } from '../src/checks/end-of-call.js';
import { memoryTrend } from '../src/checks/memory.js';
import { MessageCheck } from '../src/checks/message-check.js';
import { judgeOrder } from '../src/checks/order.js';
import { SecretCheck } from '../src/checks/secrets.js';
import { Settling } from '../src/checks/settling.js';
import { Violations } from '../src/checks/violations.js';
import { judgeWrite, WriteLedger } from '../src/checks/write-ledger.js';

useLeakCheck();

const broken = (finding: { invariant: string } | undefined) => finding?.invariant;

describe('a write', () => {
  test.each([
    ['acknowledged', 1, undefined],
    ['acknowledged', 0, 'falseOutcomes'],
    ['acknowledged', 2, 'doubleWrites'],
    ['never', 0, undefined],
    ['never', 1, 'falseOutcomes'],
    ['maybe', 0, undefined],
    ['maybe', 1, undefined],
    ['maybe', 2, 'doubleWrites'],
    ['open', 0, 'unsettled'],
  ] as const)('that was told %s and ran %i times is judged %s', (end, ran, expected) => {
    expect(broken(judgeWrite(end, ran))).toBe(expected);
  });

  test('keeps its end and its step', () => {
    const ledger = new WriteLedger();
    const ids = [ledger.begin(3), ledger.begin(700)];
    ledger.settle(1, 'maybe');
    expect(ids).toEqual([0, 1]);
    expect([ledger.endOf(0), ledger.endOf(1)]).toEqual(['open', 'maybe']);
    expect([ledger.stepOf(0), ledger.stepOf(1)]).toEqual([3, 700]);
    expect(ledger.tally()).toEqual({ open: 1, acknowledged: 0, never: 0, maybe: 1 });
  });

  test.each([
    [new RedisPoolError('RP_ERR_UNAVAILABLE', 'away', { maybeExecuted: false }), 'never'],
    [new RedisPoolError('RP_ERR_CONNECTION_LOST', 'lost', { maybeExecuted: true }), 'maybe'],
    [new RedisPoolError('RP_ERR_CONNECT', 'says nothing'), 'maybe'],
    [Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' }), 'never'],
    [Object.assign(new Error('NOPERM'), { name: 'ReplyError', maybeExecuted: true }), 'maybe'],
    [ABORTED, 'maybe'],
    [new TypeError('x is not a function'), 'maybe'],
  ])('that rejects with %s ends as %s', (error, expected) => {
    expect(endOf(error)).toBe(expected);
  });
});

describe('elements', () => {
  const ledgerOf = (...acknowledged: number[]): ElementLedger => {
    const ledger = new ElementLedger();
    for (const element of acknowledged) ledger.pushed(element, 'acknowledged');
    return ledger;
  };
  const left = { waiting: [], moved: [] };

  test('that are popped, moved or still there are all accounted for', () => {
    const ledger = ledgerOf(1, 2, 3);
    ledger.popped(1);
    ledger.moved(2);
    expect(ledger.account({ waiting: [3], moved: [2] })).toEqual([]);
  });

  test('that are nowhere are lost, unless as many waits lost their connection', () => {
    const ledger = ledgerOf(1, 2);
    ledger.excuse(1);
    expect(ledger.account(left)).toMatchObject([{ what: expect.stringContaining('2 elements are gone') }]);
    ledger.excuse(1);
    expect(ledger.account(left)).toEqual([]);
  });

  test('that were popped twice, or popped and are still there, are doubled', () => {
    const twice = ledgerOf(1);
    twice.popped(1);
    twice.popped(1);
    expect(twice.account(left)).toHaveLength(1);
    const both = ledgerOf(1);
    both.popped(1);
    expect(both.account({ waiting: [1], moved: [] })).toHaveLength(1);
  });

  test('that nobody pushed, or whose push never ran, must not be there', () => {
    const ledger = new ElementLedger();
    ledger.pushed(1, 'never');
    ledger.pushed(2, 'maybe');
    expect(ledger.account({ waiting: [1, 2, 3], moved: [] })).toMatchObject([
      { what: expect.stringContaining('element 1 was never pushed') },
      { what: expect.stringContaining('element 3 came from nowhere') },
    ]);
  });

  test('that were moved have to be where they were moved to', () => {
    const ledger = ledgerOf(1);
    ledger.moved(1);
    expect(ledger.account({ waiting: [1], moved: [] })).toHaveLength(1);
  });
});

describe('the order of a caller', () => {
  const ends = ['acknowledged', 'maybe', 'acknowledged', 'acknowledged'] as const;
  const judge = (...list: number[]) => judgeOrder(list, (call) => ends[call] ?? 'open');

  test('may have holes, and late calls that nobody was told the end of', () => {
    expect(judge(0, 2, 3)).toEqual([]);
    expect(judge(0, 2, 1, 3)).toEqual([]);
  });

  test('is broken by an acknowledged call that runs after a later one', () => {
    expect(judge(0, 3, 2).map(broken)).toEqual(['brokenOrder']);
  });

  test('is broken by a call that runs twice', () => {
    expect(judge(0, 1, 1).map(broken)).toEqual(['doubleWrites']);
  });
});

describe('messages', () => {
  const listen = (uncertain: readonly number[] = []) => {
    const faults: string[] = [];
    const check = new MessageCheck(
      (message) => !uncertain.includes(message),
      (what) => faults.push(what),
    );
    return { check, faults };
  };

  test('may be missing after a gap that was reported, and where nobody knows whether they went out', () => {
    const { check, faults } = listen([6]);
    for (const message of [1, 2]) check.message(message);
    check.gap();
    for (const message of [5, 7]) check.message(message);
    expect(faults).toEqual([]);
    expect([check.received, check.gaps]).toEqual([4, 1]);
  });

  test('that are missing without a gap are lost', () => {
    const { check, faults } = listen();
    check.gap();
    for (const message of [1, 2, 4]) check.message(message);
    expect(faults).toEqual([expect.stringContaining('3 was lost')]);
  });

  test('that come twice, out of order or from nobody are seen', () => {
    const { check, faults } = listen();
    for (const message of [2, 2, 1, Number.NaN]) check.message(message);
    expect(faults).toHaveLength(3);
  });
});

describe('promises', () => {
  let settling: Settling | undefined;
  afterEach(() => settling?.stop());

  const watch = (promise: Promise<unknown>, limitMs: number) => {
    const violations = new Violations(() => 'the test');
    settling = new Settling(violations);
    const expectation = settling.watch(promise, 'a call', limitMs);
    return { violations, settling, expectation };
  };

  test('that settle in time are counted', async () => {
    const promise = sleep(5);
    const { violations, settling } = watch(promise, 100);
    await promise;
    expect([settling.settled, settling.open, violations.total]).toEqual([1, 0, 0]);
  });

  test('that settle late are a violation, and the worst one is named', async () => {
    const promise = sleep(800).then(() => Promise.reject(new Error('late')));
    const { violations, settling } = watch(promise, 20);
    await promise.catch(() => {});
    expect(settling.worstWhat).toBe('a call');
    expect(settling.worstMs).toBeGreaterThan(300);
    expect(violations.kept).toMatchObject([{ invariant: 'unsettled', during: 'the test' }]);
  });

  test('that settle late because the event loop was blocked are not', async () => {
    const promise = sleep(30);
    const { violations } = watch(promise, 20);
    await sleep(5);
    for (const until = performance.now() + 600; performance.now() < until; );
    await promise;
    expect(violations.total).toBe(0);
  });

  test('that never settle are a violation as well', async () => {
    const { violations, settling, expectation } = watch(new Promise(() => {}), 60_000);
    expectation.hurry(-5_000);
    await expect.poll(() => violations.total).toBe(1);
    expect(violations.kept[0]?.what).toBe('a call did not settle');
    expect(settling.open).toBe(0);
  });
});

describe('what the pool tells', () => {
  const look = (tell: (check: SecretCheck) => void) => {
    const violations = new Violations(() => '');
    tell(new SecretCheck(violations));
    return violations.kept;
  };

  test('holds neither passwords nor arguments', () => {
    expect(look((check) => check.logged({ pool: 'x', cause: 'reset' }, 'lost'))).toEqual([]);
  });

  test.each([
    ['a field of a log line', (check: SecretCheck) => check.logged({ deep: { er: ['x arg~key'] } }, '')],
    ['the message of a log line', (check: SecretCheck) => check.logged({}, 'wrong pa55~1')],
    ['the message of an error', (check: SecretCheck) => check.failed('a', new Error('arg~key'))],
    [
      'the cause of a cause',
      (check: SecretCheck) =>
        check.failed('a', new Error('x', { cause: new Error('y', { cause: 'pa55~1' }) })),
    ],
  ])('is searched: %s', (_, tell) => {
    const [found] = look(tell);
    expect(found?.invariant).toBe('leakedSecrets');
    expect(found?.what).not.toMatch(/arg~key|pa55~1/);
  });
});

describe('memory', () => {
  const mib = 1024 * 1024;
  const samples = (bytesAt: (minute: number) => number) =>
    Array.from({ length: 31 }, (_, minute) => ({ atMs: minute * 60_000, bytes: bytesAt(minute) * mib }));

  test('that goes up and down around one value does not grow', () => {
    expect(memoryTrend(samples((minute) => 20 + (minute % 3) * 5))).toMatchObject({ grows: false });
  });

  test('that grows by two megabytes a minute does', () => {
    const trend = memoryTrend(samples((minute) => 20 + 2 * minute));
    expect(trend).toMatchObject({ grows: true, bytesPerMinute: 2 * mib });
    expect(trend?.thirds).toEqual([20 * mib, 40 * mib, 60 * mib]);
  });

  test('of a run of a few steps says nothing', () => {
    expect(memoryTrend(samples(() => 20).slice(0, 8))).toBeUndefined();
  });
});
