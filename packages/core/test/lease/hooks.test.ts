import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Logger, PoolHooks, RedisPool, RedisPoolOptions } from '../../src/index.js';
import {
  controlTimer,
  deferred,
  errorOf,
  expectAtRest,
  GRACE_MS,
  outcomeOf,
  untilAtRest,
  usePools,
} from './lease-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});

function openWith(hooks: PoolHooks, options: RedisPoolOptions = {}): RedisPool {
  return open({ url: server.url, hooks, ...options });
}

/** A logger that keeps what it is told. */
function keepingLogger() {
  const lines: { level: string; fields: object; message: string | undefined }[] = [];
  const keep = (level: string) => (fields: object, message?: string) =>
    lines.push({ level, fields, message });
  const logger = {
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    debug: keep('debug'),
  } as Logger;
  return { lines, logger };
}

const WAYS: readonly [way: string, use: (pool: RedisPool) => Promise<unknown>][] = [
  ['lease()', (pool) => pool.lease(() => 1)],
  ['acquire() and release()', async (pool) => (await pool.acquire()).release()],
  ['transaction()', (pool) => pool.transaction(['a'], (_, queue) => queue.set('a', '1'))],
  ['writeDurably()', (pool) => pool.writeDurably((q) => q.set('a', '1'), { replicas: 1, timeoutMs: 1 })],
  ['a blocking command', (pool) => pool.blpop('list', 0.01)],
  [
    'a pipeline with a blocking command',
    (pool) => pool.pipeline().blpop('list', 0.01).exec() as Promise<unknown>,
  ],
  ['a lease of a scope', (pool) => pool.scope({ timeoutMs: 5_000 }).lease(() => 1)],
];

describe('the hooks acquire and release', () => {
  test.each(WAYS)('are called once each for %s, with the name of the pool', async (_, use) => {
    const calls: string[] = [];
    const pool = openWith({
      acquire: ({ pool: name }) => void calls.push(`acquire ${name}`),
      release: ({ pool: name }) => void calls.push(`release ${name}`),
    });
    await use(pool);
    await untilAtRest(pool);
    expect(calls).toEqual([`acquire ${pool.name}`, `release ${pool.name}`]);
    await use(pool);
    await untilAtRest(pool);
    expect(calls).toHaveLength(4);
    expectAtRest(pool);
  });

  test('are waited for when they are asynchronous: nobody has the lease before acquire is done', async () => {
    const order: string[] = [];
    const [acquired, released] = [deferred(), deferred()];
    const pool = openWith({
      acquire: () => acquired.promise.then(() => void order.push('acquire hook')),
      release: () => released.promise.then(() => void order.push('release hook')),
    });
    await pool.ready();
    const acquiring = pool.acquire();
    void acquiring.then(() => order.push('acquired'));
    acquired.resolve();
    const lease = await acquiring;
    const releasing = lease.release().then(() => order.push('released'));
    // It is back already while the hook runs.
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
    released.resolve();
    await releasing;
    expect(order).toEqual(['acquire hook', 'acquired', 'release hook', 'released']);
  });

  test('release is called for a lease that is destroyed too', async () => {
    let releases = 0;
    const pool = openWith({
      release: () => {
        releases += 1;
      },
    });
    const lease = await pool.acquire();
    lease.destroy();
    await untilAtRest(pool);
    expect(releases).toBe(1);
  });

  test.each<[how: string, hook: () => Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('not this one');
      },
    ],
    ['rejects', () => Promise.reject(new Error('not this one'))],
  ])('an acquire hook that %s fails that acquire, and the connection goes back', async (_, hook) => {
    let fails = true;
    let releases = 0;
    const pool = openWith({
      acquire: () => (fails ? hook() : undefined),
      release: () => {
        releases += 1;
      },
    });
    for (const [, use] of WAYS) expect((await errorOf(use(pool))).message).toBe('not this one');
    expectAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
    // Nobody had a lease, so none was released.
    expect(releases).toBe(0);
    fails = false;
    expect(await pool.lease((lease) => lease.ping())).toBe('PONG');
    expect(releases).toBe(1);
  });

  test('an acquire hook that hangs ends with the limit of the acquire, its signal, and close()', async () => {
    const pool = openWith({ acquire: () => new Promise(() => {}) }, { acquireTimeoutMs: 150 });
    await pool.ready();
    const late = outcomeOf(pool.acquire());
    const control = controlTimer(150);
    const controller = new AbortController();
    const aborted = errorOf(pool.acquire({ signal: controller.signal, timeoutMs: 60_000 }));
    const scoped = errorOf(pool.scope({ timeoutMs: 100 }).blpop('list', 0));
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    expect(await scoped).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
    const { error, settledAt } = await late;
    expect(error).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', maybeExecuted: false });
    expect((error as Error).message).toContain('the hook "acquire" still runs');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    await untilAtRest(pool);
    const cut = errorOf(pool.acquire({ timeoutMs: 60_000 }));
    const report = await pool.close();
    expect(await cut).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect(report).toMatchObject({ drained: true, cutLeases: 0 });
  });

  test('a release hook that throws is logged, and fails nobody', async () => {
    const { logger, lines } = keepingLogger();
    const failure = new Error('in the hook');
    const pool = openWith({ release: () => Promise.reject(failure) }, { logger });
    expect(await pool.lease(() => 'done')).toBe('done');
    expect(await pool.blpop('list', 0.01)).toBe(null);
    const loggedErrors = () => lines.filter(({ level }) => level === 'error');
    await waitUntil(() => loggedErrors().length === 2, { what: 'both are logged' });
    const errors = loggedErrors();
    expect(errors[0]).toMatchObject({ fields: { pool: pool.name, err: failure } });
    expect(errors[0]?.message).toContain('"release"');
    expectAtRest(pool);
  });

  test('a release hook that hangs keeps neither the next caller nor close() waiting', async () => {
    const pool = openWith({ release: () => new Promise(() => {}) }, { maxConnections: 2 });
    const first = await pool.acquire();
    void first.release();
    const second = await pool.acquire();
    expect(await second.ping()).toBe('PONG');
    void second.release();
    expect(await pool.close()).toMatchObject({ drained: true, cutLeases: 0 });
  });
});

describe('release() with a hook that hangs', () => {
  const release = () => new Promise<void>(() => {});

  test('settles at the limit of a command, and the hook is named in the log', async () => {
    const { logger, lines } = keepingLogger();
    const pool = openWith({ release }, { logger, commandTimeoutMs: 150 });
    await pool.lease(() => 1);
    const control = controlTimer(150);
    const { value, settledAt } = await outcomeOf(pool.lease(() => 'done'));
    expect(value).toBe('done');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    expect(lines.filter(({ level }) => level === 'error')[0]?.message).toContain('"release"');
    expectAtRest(pool);
  });

  test.each(['close', 'destroy'] as const)('settles with %s()', async (end) => {
    const { logger, lines } = keepingLogger();
    const pool = openWith({ release }, { logger, commandTimeoutMs: 20_000 });
    const before = outcomeOf(pool.lease(() => 'done'));
    await waitUntil(() => pool.stats().leases.idle === 1, { what: 'the connection is back' });
    const held = await pool.acquire();
    if (end === 'close') setImmediate(() => void held.release());
    else pool.destroy();
    await pool.close();
    expect(await before).toMatchObject({ value: 'done' });
    await held.release();
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the report of a lease that is held for too long', () => {
  test('comes once, with the place of the acquire, and is counted', async () => {
    const { logger, lines } = keepingLogger();
    const pool = open({ url: server.url, logger, leaseReportMs: 60 });
    async function handlerThatForgets() {
      return await pool.acquire();
    }
    const lease = await handlerThatForgets();
    const held = pool.lease(() => controlTimer(200));
    await pool.lease(() => 1);
    await held;
    await controlTimer(100);
    const reports = lines.filter(({ level }) => level === 'warn');
    expect(reports).toHaveLength(2);
    expect(reports[0]?.message).toMatch(new RegExp(`"${pool.name}" is held for \\d+ ms \\(leaseReportMs\\)`));
    const fields = reports[0]?.fields as { heldMs: number; acquiredAt: string };
    expect(fields.heldMs).toBeGreaterThanOrEqual(60);
    expect(fields.acquiredAt).toContain('handlerThatForgets');
    expect(fields.acquiredAt).toContain('hooks.test.ts');
    expect(fields.acquiredAt).not.toContain('/core/src/');
    expect(pool.stats().longLeases).toBe(2);
    await lease.release();
  });

  test('never comes with leaseReportMs 0, nor for blocking commands, nor after close()', async () => {
    const { logger, lines } = keepingLogger();
    const off = open({ url: server.url, logger, leaseReportMs: 0 });
    const on = open({ url: server.url, logger, leaseReportMs: 30 });
    const lease = await off.acquire();
    const parked = errorOf(on.blpop('list', 0));
    const cut = await on.acquire();
    on.destroy();
    await parked;
    await controlTimer(120);
    expect(lines.filter(({ message }) => message?.includes('is held for'))).toEqual([]);
    expect([off.stats().longLeases, on.stats().longLeases]).toEqual([0, 0]);
    await Promise.all([lease.release(), cut.release()]);
  });

  test('with leaseReportMs 0 an error names no place', async () => {
    const pool = open({ url: server.url, leaseReportMs: 0, maxConnections: 2 });
    const error = await errorOf(pool.lease(() => pool.lease(() => 1)));
    expect(error).toMatchObject({ code: 'RP_ERR_LEASE_DEADLOCK' });
    expect(error.message).toContain('Held since:\n    at an unknown place');
  });
});
