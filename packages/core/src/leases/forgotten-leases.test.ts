import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Place } from '../errors/place.js';
import { type ForgottenLease, ForgottenLeases } from './forgotten-leases.js';
import type { RedisLease } from './lease.js';

const AFTER_MS = 100;
const DETAILS: ForgottenLease = { label: 'GET /things', afterMs: AFTER_MS, place: Place.unknown };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A lease as its watcher sees it; what it does over a connection is tested over one. */
class WatchedLease {
  use: number | 'busy' = 0;
  released = false;
  readonly reasons: string[] = [];

  takeBack(why: string): Promise<void> {
    this.released = true;
    this.reasons.push(why);
    return Promise.resolve();
  }
}

function setUp() {
  const reports: ForgottenLease[] = [];
  const forgotten = new ForgottenLeases((report) => reports.push(report));
  const lease = new WatchedLease();
  const watch = (one = lease): void => forgotten.watch(one as unknown as RedisLease, DETAILS);
  const unwatch = (one = lease): void => forgotten.unwatch(one as unknown as RedisLease);
  return { reports, forgotten, lease, watch, unwatch };
}

describe('a lease that is watched', () => {
  test('is taken back after the whole time, once, with one report', () => {
    const { reports, lease, watch } = setUp();
    watch();
    vi.advanceTimersByTime(AFTER_MS - 1);
    expect(lease.released).toBe(false);
    vi.advanceTimersByTime(1);
    expect(lease.reasons).toEqual([
      'taken back: GET /things had ended and did not use it for 100 ms (forgottenLeaseMs)',
    ]);
    expect(reports).toEqual([DETAILS]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is not taken while it is used, and after that at most a quarter too late', () => {
    const { lease, watch } = setUp();
    watch();
    for (let use = 1; use <= 50; use += 1) {
      lease.use = use;
      vi.advanceTimersByTime(AFTER_MS / 2);
      expect(lease.released).toBe(false);
    }
    vi.advanceTimersByTime(AFTER_MS / 2 - 1);
    expect(lease.released).toBe(false);
    vi.advanceTimersByTime(AFTER_MS / 4 + 1);
    expect(lease.released).toBe(true);
  });

  test('is not taken while something of it is unanswered, and has the whole time after the answer', () => {
    const { lease, watch } = setUp();
    watch();
    lease.use = 'busy';
    vi.advanceTimersByTime(AFTER_MS * 20);
    lease.use = 1;
    vi.advanceTimersByTime(AFTER_MS - 1);
    expect(lease.released).toBe(false);
    vi.advanceTimersByTime(AFTER_MS / 4 + 1);
    expect(lease.released).toBe(true);
  });

  test('is watched once, from the first time on', () => {
    const { reports, watch } = setUp();
    watch();
    vi.advanceTimersByTime(AFTER_MS / 2);
    watch();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(AFTER_MS / 2);
    expect(reports).toHaveLength(1);
  });

  test('is let go by unwatch(), and may be watched again', () => {
    const { reports, watch, unwatch } = setUp();
    watch();
    unwatch();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(AFTER_MS * 2);
    expect(reports).toEqual([]);
    watch();
    vi.advanceTimersByTime(AFTER_MS);
    expect(reports).toHaveLength(1);
  });
});

test('a lease that was released is not watched', () => {
  const { lease, watch } = setUp();
  lease.released = true;
  watch();
  expect(vi.getTimerCount()).toBe(0);
});

test('close() lets all of them go', () => {
  const { reports, forgotten, watch } = setUp();
  for (let count = 0; count < 3; count += 1) watch(new WatchedLease());
  expect(vi.getTimerCount()).toBe(3);
  forgotten.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(AFTER_MS * 2);
  expect(reports).toEqual([]);
});

test('watching does not keep the process alive', () => {
  vi.useRealTimers();
  const made = vi.spyOn(globalThis, 'setInterval');
  const { watch, unwatch } = setUp();
  watch();
  const [timer] = made.mock.results.map(({ value }) => value as NodeJS.Timeout);
  expect(timer?.hasRef()).toBe(false);
  unwatch();
  made.mockRestore();
});
