import type { RedisServer } from '@redis-pool/testkit';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import {
  createRedisPool,
  getRedisPool,
  isRedisPoolError,
  type RedisPool,
  type RedisPoolOptions,
} from '../../src/index.js';

/** The two ways of commands onto the wire; whatever holds has to hold for both. */
export const LINKS = ['direct', 'public'] as const;
export type Link = (typeof LINKS)[number];

/** Makes the pools of this `describe` block take that link. */
export function useLink(link: Link): void {
  const before = process.env.REDIS_POOL_LINK;
  beforeAll(() => {
    if (link === 'public') process.env.REDIS_POOL_LINK = 'public';
    else delete process.env.REDIS_POOL_LINK;
  });
  afterAll(() => {
    if (before === undefined) delete process.env.REDIS_POOL_LINK;
    else process.env.REDIS_POOL_LINK = before;
  });
}

let opened = 0;

/** Ways to get pools that are destroyed after the test: new ones, and further handles on them. */
export function usePools() {
  const pools: RedisPool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.destroy();
  });
  const track = (pool: RedisPool): RedisPool => {
    pools.push(pool);
    return pool;
  };
  return {
    /** Under a name of its own, unless the options have one. */
    openPool(options: RedisPoolOptions): RedisPool {
      opened += 1;
      return track(createRedisPool({ name: `test-${opened}`, ...options }));
    },
    joinPool: (name: string): RedisPool => track(getRedisPool(name)),
  };
}

/** How a promise ended, and when. */
export interface Outcome {
  readonly value: unknown;
  /** `undefined` when it resolved. */
  readonly error: unknown;
  /** On the clock of `performance.now()`. */
  readonly settledAt: number;
}

/** Never rejects. */
export function outcomeOf(promise: PromiseLike<unknown>): Promise<Outcome> {
  return Promise.resolve(promise).then(
    (value) => ({ value, error: undefined, settledAt: performance.now() }),
    (error: unknown) => ({
      value: undefined,
      error: error ?? new Error('rejected with nothing'),
      settledAt: performance.now(),
    }),
  );
}

/** The error of a promise that has to reject. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<Record<string, unknown> & Error> {
  const { error, value } = await outcomeOf(promise);
  if (error === undefined) throw new Error(`resolved instead of rejecting: ${String(value)}`);
  return error as Record<string, unknown> & Error;
}

export function codeOf(error: unknown): string | undefined {
  return isRedisPoolError(error) ? error.code : undefined;
}

/** How many times the server ran a command since CONFIG RESETSTAT, by its own count. */
export async function callsAt(server: RedisServer, name: string): Promise<number> {
  const stats = String(await server.adminCommand('INFO', 'commandstats'));
  const calls = new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(stats)?.[1];
  return Number(calls ?? 0);
}

/**
 * A plain timer for the same moment as a deadline of the pool. What the machine adds to it, it adds to the pool's
 * timers too: comparing with it leaves the noise out.
 */
export function controlTimer(delayMs: number): Promise<number> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(performance.now()), delayMs);
  });
}

/** Measures for how long at most the machine let nothing of this process run; `stop()` says it. */
export function measureStalls(): { stop(): number } {
  let longestMs = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 1);
  return {
    stop() {
      clearInterval(ticker);
      return longestMs;
    },
  };
}

/** Blocks the event loop. */
export function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Everything an idle pool has to be: nothing pending, nothing waiting, nothing in flight. */
export function expectIdle(pool: RedisPool): void {
  const { pending, waitingForConnection, lanes } = pool.stats();
  expect(pending).toEqual({ commands: 0, bytes: 0 });
  expect(waitingForConnection).toBe(0);
  for (const lane of lanes) expect(lane).toMatchObject({ inFlight: 0, unsentBytes: 0, oldestMs: 0 });
}

export function isIdle(pool: RedisPool): boolean {
  const { pending, waitingForConnection } = pool.stats();
  return pending.commands === 0 && pending.bytes === 0 && waitingForConnection === 0;
}

/** A promise and its handles, as `Promise.withResolvers()` of later versions of Node. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
