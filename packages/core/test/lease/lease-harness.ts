import { type ClientInfo, type RedisServer, waitUntil } from '@redis-pool/testkit';
import { afterEach, expect } from 'vitest';
import { createRedisPool, isRedisPoolError, type RedisPool, type RedisPoolOptions } from '../../src/index.js';

/** Law 3: what a settling may take after its deadline. */
export const GRACE_MS = 50;

let opened = 0;

/** Gives a function that opens pools with names of their own; each is destroyed after its test. */
export function usePools(): (options: RedisPoolOptions) => RedisPool {
  const pools: RedisPool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.destroy();
  });
  return (options) => {
    opened += 1;
    const pool = createRedisPool({ name: `lease-test-${opened}`, ...options });
    pools.push(pool);
    return pool;
  };
}

/** How a promise ended, and when on the clock of `performance.now()`. */
export interface Outcome {
  readonly value: unknown;
  /** `undefined` when it resolved. */
  readonly error: unknown;
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

/** How many times the server ran each command since CONFIG RESETSTAT, by its own count. */
export async function callsAt(server: RedisServer): Promise<ReadonlyMap<string, number>> {
  const stats = String(await server.adminCommand('INFO', 'commandstats'));
  return new Map(
    [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, calls]) => [
      `${name}`,
      Number(calls),
    ]),
  );
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

/** The connections of a pool's leases, as the server sees them. */
export async function leaseClients(server: RedisServer, pool: RedisPool): Promise<ClientInfo[]> {
  const clients = await server.clients();
  return clients.filter(({ name }) => name.startsWith(`${pool.name}:lease:`));
}

/** Resolves when so many clients wait at the server. */
export async function untilParked(server: RedisServer, count: number): Promise<void> {
  await waitUntil(async () => (await blockedClients(server)) === count, {
    what: `${count} clients wait at the server`,
  });
}

async function blockedClients(server: RedisServer): Promise<number> {
  const info = String(await server.adminCommand('INFO', 'clients'));
  return Number(/^blocked_clients:(\d+)/m.exec(info)?.[1]);
}

/** Resolves when no lease of the pool is held, waited for or being opened. */
export async function untilAtRest(pool: RedisPool): Promise<void> {
  const isAtRest = (): boolean => {
    const { leased, creating, waiting, blocking } = pool.stats().leases;
    return leased + creating + waiting + blocking === 0;
  };
  await waitUntil(isAtRest, { what: 'no lease is held or waited for' });
}

/** Resolves when so many callers wait for a lease. */
export async function untilWaiting(pool: RedisPool, count: number): Promise<void> {
  await waitUntil(() => pool.stats().leases.waiting === count, { what: `${count} callers wait for a lease` });
}

/** The places of the cap that are in use besides the lanes. */
function placesInUse(pool: RedisPool): number {
  const { connections, lanes } = pool.stats();
  return connections.used - lanes.length;
}

/** Every counter of the leases of a pool that nobody uses, and its places. */
export function expectAtRest(pool: RedisPool): void {
  const { leases } = pool.stats();
  expect(leases).toMatchObject({ leased: 0, creating: 0, waiting: 0, blocking: 0 });
  expect(placesInUse(pool)).toBe(leases.idle);
}
