import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import {
  deferred,
  errorOf,
  GRACE_MS,
  outcomeOf,
  untilParked,
  untilWaiting,
  usePools,
} from './lease-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const openPool = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});

/** Ways to wait for an element for ever. */
const PARKED: readonly [what: string, park: (pool: RedisPool) => Promise<unknown>][] = [
  ['BLPOP 0', (pool) => pool.blpop('list', 0)],
  ['XREAD BLOCK 0', (pool) => pool.xread('BLOCK', 0, 'STREAMS', 's', '$')],
  ['BLPOP 0 of a scope', (pool) => pool.scope({ timeoutMs: 60_000 }).blpop('list', 0)],
  ['BLPOP 0 on a held lease', (pool) => pool.lease((lease) => lease.blpop('list', 0))],
  [
    'BLPOP 0 behind another command on a lease',
    (pool) => pool.lease((l) => Promise.all([l.ping(), l.blpop('list', 0)])),
  ],
];

describe('close()', () => {
  test.each(PARKED)('ends %s at the server: RP_ERR_CLOSING, nothing lost, nothing cut', async (_, park) => {
    const pool = openPool({ url: server.url });
    const parked = errorOf(park(pool));
    await untilParked(server, 1);
    const report = await pool.close();
    expect(await parked).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false, retryable: true });
    expect(report).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(report.durationMs).toBeLessThan(1_000);
    await server.adminCommand('RPUSH', 'list', 'x');
    expect(await server.adminCommand('LLEN', 'list')).toBe(1);
  });

  test.each<[what: string, chain: (pool: RedisPool) => Promise<unknown>]>([
    [
      'on the pool',
      (pool) => pool.pipeline().set('a', '1').blpop('list', 0).set('b', '2').exec() as Promise<unknown>,
    ],
    [
      'on a lease',
      (pool) => pool.lease((l) => l.pipeline().set('a', '1').blpop('list', 0).set('b', '2').exec()),
    ],
  ])('ends a wait in a pipeline %s as if its time was over', async (_, chain) => {
    const pool = openPool({ url: server.url });
    const parked = chain(pool);
    await untilParked(server, 1);
    expect(await pool.close()).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await parked).toEqual([
      [null, 'OK'],
      [null, null],
      [null, 'OK'],
    ]);
  });

  test('hands over an element that comes while it ends the wait', async () => {
    const pool = openPool({ url: server.url });
    const parked = Array.from({ length: 5 }, () => outcomeOf(pool.blpop('list', 0)));
    await untilParked(server, 5);
    const pushed = server.adminCommand('RPUSH', 'list', 'a', 'b', 'c');
    const [report] = await Promise.all([pool.close(), pushed]);
    expect(report.drained).toBe(true);
    const delivered = (await Promise.all(parked)).flatMap(({ value }) =>
      Array.isArray(value) ? [value[1]] : [],
    );
    const left = (await server.adminCommand('LRANGE', 'list', 0, -1)) as string[];
    expect([...delivered, ...left].sort()).toEqual(['a', 'b', 'c']);
  });

  test('rejects who waits for a lease at once, and waits for who has one', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const goOn = deferred();
    const holding = pool.lease(async (lease) => {
      await goOn.promise;
      return lease.set('key', 'written while closing');
    });
    await waitUntil(() => pool.stats().leases.leased === 1, { what: 'it is held' });
    const waiting = [
      pool.acquire(),
      pool.lease(() => 1),
      pool.blpop('list', 0),
      pool.transaction(['a'], () => 1),
    ];
    const ended = waiting.map((call) => errorOf(call as Promise<unknown>));
    await untilWaiting(pool, 4);
    const closing = pool.close();
    for (const error of await Promise.all(ended))
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
    expect(pool.status).toBe('draining');
    goOn.resolve();
    expect(await holding).toBe('OK');
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await server.adminCommand('GET', 'key')).toBe('written while closing');
  });

  test('cuts a lease that is held for longer than its budget, and says so', async () => {
    const pool = openPool({ url: server.url });
    const leases = [await pool.acquire(), await pool.acquire()];
    const report = await pool.close({ timeoutMs: 100 });
    expect(report).toMatchObject({ drained: false, cutCommands: 0, cutLeases: 2 });
    for (const place of report.cut.leases) expect(place).toContain('close.test.ts');
    expect(report.durationMs).toBeLessThan(100 + GRACE_MS);
    for (const lease of leases) {
      expect(await errorOf(lease.get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
      await lease.release();
    }
    expect(pool.stats()).toMatchObject({ leases: { leased: 0, idle: 0 }, connections: { used: 1 } });
  });

  test('a lease may be used while the pool drains, but does not wait at the server any more', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const closing = pool.close();
    expect(await lease.set('key', 'value')).toBe('OK');
    expect(await errorOf(lease.blpop('list', 0))).toMatchObject({
      code: 'RP_ERR_CLOSING',
      maybeExecuted: false,
    });
    expect(await errorOf(lease.pipeline().blpop('list', 0).exec())).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect(await lease.multi().get('key').exec()).toEqual([[null, 'value']]);
    await lease.release();
    expect(await closing).toMatchObject({ drained: true, cutLeases: 0 });
  });

  // Regression: a call that had just been given its connection was missed by the drain and waited on.
  test('ends a blocking command that got its connection in the very same moment', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const pool = openPool({ url: server.url, maxConnections: 2 });
      const lease = await pool.acquire();
      const next = errorOf(pool.blpop('list', 0));
      const chain = outcomeOf(pool.pipeline().blpop('list', 0).exec());
      await untilWaiting(pool, 2);
      void lease.release();
      for (let turn = 0; turn < turns; turn += 1) await undefined;
      const report = await pool.close();
      expect(report).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
      expect(report.durationMs).toBeLessThan(1_000);
      expect(await next).toMatchObject({ code: 'RP_ERR_CLOSING' });
      expect((await chain).error).toMatchObject({ code: 'RP_ERR_CLOSING' });
    }
  });

  test.each([100, 600, 3_000])(
    'with a frozen server ends within %i ms, everything told and counted',
    async (timeoutMs) => {
      const pool = openPool({ url: server.url, commandTimeoutMs: 60_000 });
      const goOn = deferred();
      const held = await pool.acquire();
      const parked = [pool.blpop('list', 0), pool.pipeline().blpop('list', 0).exec()].map((call) =>
        outcomeOf(call),
      );
      const inside = errorOf(pool.lease((lease) => lease.blpop('list', 0)));
      await untilParked(server, 3);
      server.freeze();
      const running = [errorOf(held.get('key')), errorOf(held.set('key', 'x'))];
      const onTheLane = errorOf(pool.get('key'));
      const report = await pool.close({ timeoutMs });
      expect(report.durationMs).toBeLessThan(timeoutMs + GRACE_MS);
      // The commands of the lease and of the lane, and three that waited: one of them in a pipeline, alone in it.
      expect(report).toMatchObject({ drained: false, cutCommands: 6 });
      // The lease around the parked one is given back by its holder where there is time enough to tell it.
      expect(report.cutLeases).toBe(timeoutMs > 2_000 ? 1 : 2);
      for (const error of await Promise.all(running))
        expect(error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
      expect(await onTheLane).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
      // That the server ended the wait is not known: an element may be lost.
      expect(await inside).toMatchObject({
        code: expect.stringMatching(/^RP_ERR_CLOS/),
        maybeExecuted: true,
      });
      for (const { error } of await Promise.all(parked))
        expect(error).toMatchObject({
          code: expect.stringMatching(/^RP_ERR_(CLOS|CONNECTION_LOST)/),
          maybeExecuted: true,
        });
      goOn.resolve();
      await held.release();
      expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0, blocking: 0 });
    },
  );

  test('of two handles ends nothing before the second one is closed', async () => {
    const first = openPool({ url: server.url, name: 'shared' });
    const second = openPool({ url: server.url, name: 'shared' });
    const parked = second.blpop('list', 0);
    await untilParked(server, 1);
    expect(await first.close()).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await errorOf(first.blpop('list', 0))).toMatchObject({ code: 'RP_ERR_CLOSED' });
    expect(await errorOf(first.acquire())).toMatchObject({ code: 'RP_ERR_CLOSED' });
    await second.rpush('list', 'x');
    expect(await parked).toEqual(['list', 'x']);
  });

  test('closes idle leases, and those on their way', async () => {
    const pool = openPool({ url: server.url, minIdleLeases: 3, maxConnections: 10 });
    await pool.ready();
    const waiting = Array.from({ length: 6 }, () => errorOf(pool.acquire()));
    await waitUntil(() => pool.stats().leases.creating > 0, { what: 'some are being connected' });
    expect(await pool.close()).toMatchObject({ drained: true });
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'RP_ERR_CLOSING' });
    await waitUntil(() => pool.stats().connections.used === 1, { what: 'every place is given back' });
  });
});

describe('destroy()', () => {
  test.each(PARKED)('cuts %s with RP_ERR_CLOSED', async (_, park) => {
    const pool = openPool({ url: server.url });
    const parked = errorOf(park(pool));
    await untilParked(server, 1);
    pool.destroy();
    expect(await parked).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
    const { drained, cutCommands } = await pool.close();
    expect(drained).toBe(false);
    // And the command before it, where its reply was still on its way.
    expect(cutCommands).toBeGreaterThanOrEqual(1);
  });

  test('gives its error to everybody: parked, waiting, and in the middle of a command', async () => {
    const pool = openPool({ url: server.url, maxConnections: 3 });
    const lease = await pool.acquire();
    const parked = errorOf(pool.blpop('list', 0));
    await untilParked(server, 1);
    const waiting = errorOf(pool.acquire());
    await untilWaiting(pool, 1);
    server.freeze();
    const running = errorOf(lease.get('key'));
    const failure = new Error('the process is going down');
    pool.destroy(failure);
    for (const error of await Promise.all([parked, waiting, running])) expect(error).toBe(failure);
    await lease.release();
  });

  test('ends a close() that waits for a held lease, which is counted once', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const closing = pool.close({ timeoutMs: 60_000 });
    pool.destroy();
    const report = await closing;
    expect(report).toMatchObject({ drained: false, cutCommands: 0, cutLeases: 1 });
    expect(report.durationMs).toBeLessThan(1_000);
    await lease.release();
  });

  test('leaves no lease with a caller who was just about to get it', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const pool = openPool({ url: server.url, maxConnections: 2 });
      const lease = await pool.acquire();
      const next = outcomeOf(pool.acquire());
      await untilWaiting(pool, 1);
      void lease.release();
      for (let turn = 0; turn < turns; turn += 1) await undefined;
      pool.destroy();
      const { value, error } = await next;
      // Either it came too late, or what it got is closed.
      if (error !== undefined) expect(error).toMatchObject({ code: 'RP_ERR_CLOSED' });
      else expect(await errorOf((value as typeof lease).get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED' });
      if (value !== undefined) await (value as typeof lease).release();
      await waitUntil(() => pool.stats().connections.used === 1, { what: 'the place is given back' });
    }
  });
});
