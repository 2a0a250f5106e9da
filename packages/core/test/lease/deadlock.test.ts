import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisLease, RedisPool } from '../../src/index.js';
import {
  codeOf,
  deferred,
  errorOf,
  expectAtRest,
  outcomeOf,
  untilAtRest,
  untilParked,
  untilWaiting,
  usePools,
} from './lease-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** A pool in which a deadlock would show by itself only after a minute. */
function openPool(leases: number): RedisPool {
  return open({ url: server.url, maxConnections: leases + 1, acquireTimeoutMs: 60_000 });
}

/** Ways to want a second connection inside of the function of a lease. */
const INNER: readonly [what: string, want: (pool: RedisPool) => Promise<unknown>][] = [
  ['lease()', (pool) => pool.lease(() => 1)],
  ['acquire()', (pool) => pool.acquire()],
  ['transaction()', (pool) => pool.transaction(['a'], () => 1)],
  [
    'writeDurably()',
    (pool) => pool.writeDurably((queue) => queue.set('a', '1'), { replicas: 1, timeoutMs: 10 }),
  ],
  ['a blocking command', (pool) => pool.blpop('list', 0)],
  [
    'a pipeline with a blocking command',
    (pool) => pool.pipeline().blpop('list', 0).exec() as Promise<unknown>,
  ],
  ['lease() of a scope', (pool) => pool.scope({ timeoutMs: 60_000 }).lease(() => 1)],
];

describe('a caller that waits for what it holds itself', () => {
  test.each(INNER)('fails at once with %s inside of lease(), and both places are named', async (_, want) => {
    const pool = openPool(1);
    const error = await errorOf(
      pool.lease(async function theOuterPlace() {
        return await want(pool);
      }),
    );
    expect(error).toMatchObject({ code: 'RP_ERR_LEASE_DEADLOCK', retryable: false, maybeExecuted: false });
    expect(error.message).toContain('all 1 leases are held');
    expect(error.message).toContain('maxConnections (2)');
    const [, heldSince, wanted] = /Held since:\n(.*)\nWanted:\n(.*)$/s.exec(error.message) ?? [];
    expect(heldSince).toContain('deadlock.test.ts');
    expect(wanted).toContain('deadlock.test.ts');
    expect(heldSince).not.toContain('theOuterPlace');
    expect(wanted).toContain('theOuterPlace');
    // None of it from inside of this package.
    expect(error.message).not.toContain('/core/src/');
    await untilAtRest(pool);
    expectAtRest(pool);
  });

  test('fails in transactions that nest', async () => {
    const pool = openPool(1);
    const nested = pool.transaction(['a'], async () => {
      await pool.transaction(['b'], () => 1);
    });
    expect(codeOf((await outcomeOf(nested)).error)).toBe('RP_ERR_LEASE_DEADLOCK');
  });

  test('fails as deep as the cap is, and not before', async () => {
    const pool = openPool(3);
    const reached: number[] = [];
    const nest = async (depth: number): Promise<void> => {
      reached.push(depth);
      await pool.lease(() => nest(depth + 1));
    };
    expect(await errorOf(nest(0))).toMatchObject({ code: 'RP_ERR_LEASE_DEADLOCK' });
    expect(reached).toEqual([0, 1, 2, 3]);
    expectAtRest(pool);
  });

  test('in a scope is known as the function that holds, not as the scope', async () => {
    const pool = openPool(1);
    const scope = pool.scope({ label: 'GET /' });
    expect(await errorOf(scope.lease(() => scope.lease(() => 1)))).toMatchObject({
      code: 'RP_ERR_LEASE_DEADLOCK',
    });
    expect(await errorOf(scope.lease(() => pool.lease(() => 1)))).toMatchObject({
      code: 'RP_ERR_LEASE_DEADLOCK',
    });
  });

  test('of several that hold and wait the last one fails, and the others go on', async () => {
    const pool = openPool(3);
    const holding = deferred();
    let holders = 0;
    const holdAndWant = () =>
      pool.lease(async () => {
        holders += 1;
        if (holders === 3) holding.resolve();
        await holding.promise;
        return pool.lease(() => 'inner');
      });
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => outcomeOf(holdAndWant())));
    expect(outcomes.map(({ value, error }) => value ?? codeOf(error)).sort()).toEqual([
      'RP_ERR_LEASE_DEADLOCK',
      'inner',
      'inner',
    ]);
    expectAtRest(pool);
  });
});

describe('a caller that only waits', () => {
  test('is never failed: many un-nested holders on one lease', async () => {
    const pool = openPool(1);
    const scope = pool.scope();
    const callers = Array.from({ length: 100 }, (_, index) => {
      const redis = index % 2 === 0 ? pool : scope;
      return redis.lease(async (lease) => Number(await lease.incr('counter')));
    });
    const counted = await Promise.all(callers);
    expect(new Set(counted).size).toBe(100);
    expect(pool.stats().errors).toEqual({});
  });

  test('is never failed: branches of one scope that acquire side by side', async () => {
    const pool = openPool(2);
    const scope = pool.scope();
    const branch = async (): Promise<string> => {
      await using lease = await scope.acquire();
      return await lease.ping();
    };
    expect(await Promise.all(Array.from({ length: 20 }, branch))).toEqual(Array(20).fill('PONG'));
    expect(pool.stats().errors).toEqual({});
  });

  // Regression: a lease from acquire() counted as held by the function around it until that returned.
  test('is never failed: branches inside of lease() that acquire side by side', async () => {
    const pool = openPool(2);
    const served = await pool.lease(async () => {
      const first = await pool.acquire();
      const waiting = [pool.acquire(), pool.acquire()];
      await untilWaiting(pool, 2);
      await first.release();
      const [second, third] = waiting as [Promise<RedisLease>, Promise<RedisLease>];
      await (await second).release();
      await (await third).release();
      return 'served';
    });
    expect(served).toBe('served');
    const leases = () => Promise.all(Array.from({ length: 10 }, () => pool.lease((lease) => lease.ping())));
    expect(await pool.lease(leases)).toEqual(Array(10).fill('PONG'));
    expect(pool.stats().errors).toEqual({});
  });

  // Regression: the connection of a blocking command counted as held by the function that called it.
  test('is never failed: a blocking command of its own may bring a connection back', async () => {
    const pool = openPool(2);
    const value = await pool.lease(async (lease) => {
      const parked = pool.blpop('list', 0);
      await untilParked(server, 1);
      const inner = pool.lease(() => 'served');
      await untilWaiting(pool, 1);
      await lease.rpush('list', 'x');
      return [await parked, await inner];
    });
    expect(value).toEqual([['list', 'x'], 'served']);
  });

  test('is never failed: others may give back what they hold', async () => {
    const pool = openPool(2);
    const other = await pool.acquire();
    const nested = pool.lease(() => pool.lease(() => 'served'));
    await untilWaiting(pool, 1);
    await other.release();
    expect(await nested).toBe('served');
  });

  // Regression: a wait for a lease of another pool counted as a wait for one of this pool.
  test('is never failed: holders that wait for a lease of another pool', async () => {
    const [here, there] = [openPool(1), openPool(2)];
    const elsewhere = await there.acquire();
    const holder = here.lease(() => there.lease(() => there.lease(() => 'holder')));
    await untilWaiting(there, 1);
    // It holds a lease there; all of this pool are held by one who waits, but not for this pool.
    const other = errorOf(there.lease(() => 1, { timeoutMs: 50 }));
    expect(await other).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT' });
    await elsewhere.release();
    expect(await holder).toBe('holder');
  });

  test('is never failed: a lease that is being cleaned comes free', async () => {
    const pool = openPool(2);
    await pool.lease(async () => {
      const first = await pool.acquire();
      await first.select(3);
      const released = first.release();
      const second = await pool.acquire();
      await released;
      await second.release();
    });
    expect(pool.stats().errors).toEqual({});
  });

  test('is never failed: work that outlives the function it was begun in', async () => {
    const pool = openPool(1);
    const begin = deferred();
    let later: Promise<unknown> | undefined;
    await pool.lease(() => {
      // In the context of this function, and run after it.
      later = begin.promise.then(() => pool.lease((lease) => lease.ping()));
    });
    begin.resolve();
    expect(await later).toBe('PONG');
  });

  test('is never failed: one connection of the cap is free for as long as it is not leased', async () => {
    const pool = openPool(2);
    const client = pool.dedicated('worker');
    await client.ping();
    // The cap is full now with one lease: what a dedicated client has comes back when it likes.
    const nested = outcomeOf(pool.lease(() => pool.lease(() => 1, { timeoutMs: 50 })));
    expect(codeOf((await nested).error)).toBe('RP_ERR_LEASE_DEADLOCK');
    client.disconnect();
  });
});
