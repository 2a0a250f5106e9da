import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import {
  callsAt,
  errorOf,
  leaseClients,
  outcomeOf,
  untilAtRest,
  untilParked,
  usePools,
} from './lease-harness.js';

/** So that a slice is 1 s, the shortest there is, and the server may be late by 1 s. */
const HEARTBEAT_MS = 100;
const SLICE_MS = 1_000;
const NOTICED_MS = 2 * SLICE_MS;

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy = await startFaultProxy({ target: server });
});
afterEach(() => proxy.close());

/** A pool behind the proxy whose lane knows at once that a connection is gone. */
function openPool(options: RedisPoolOptions = {}): RedisPool {
  const reconnect = { minDelayMs: 1, maxDelayMs: 10 };
  return open({ url: proxy.url, heartbeatMs: HEARTBEAT_MS, commandTimeoutMs: 1_000, reconnect, ...options });
}

/** Has the network forget the connections that there are, once so many commands are parked; then new ones work. */
async function forget(parked = 1): Promise<void> {
  await untilParked(server, parked);
  proxy.forgetConnections();
}

describe('a parked command on a connection that dies without a word', () => {
  test.each<[what: string, call: (pool: RedisPool) => Promise<unknown>]>([
    ['BLPOP for ever', (pool) => pool.blpop('list', 0)],
    ['BLPOP for long', (pool) => pool.blpop('list', 300)],
    ['BLMOVE', (pool) => pool.blmove('list', 'other', 'LEFT', 'RIGHT', 0)],
    ['a pipeline', (pool) => pool.pipeline().ping().blpop('list', 0).ping().execOrThrow()],
    ['BLPOP on a lease', (pool) => pool.lease((lease) => lease.blpop('list', 0))],
  ])('%s is told that it may have been executed, and the connection is replaced', async (_, call) => {
    const pool = openPool();
    const begunAt = performance.now();
    const running = outcomeOf(call(pool));
    await forget();
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
    expect(String((error as Error).cause)).toContain('while it owed a reply');
    expect(settledAt - begunAt).toBeLessThan(NOTICED_MS + 1_000);
    expect(settledAt - begunAt).toBeGreaterThan(SLICE_MS);
    await untilAtRest(pool);
    await server.adminCommand('RPUSH', 'list', 'x');
    // The server has ended the wait of the dead connection too: nothing is taken by nobody.
    expect(await pool.blpop('list', 0)).toEqual(['list', 'x']);
  });

  test.each<[what: string, id: string]>([
    ['an ID', '1-1'],
    ['$', '$'],
  ])('XREAD from %s goes on with another connection, and misses nothing', async (_, id) => {
    const pool = openPool();
    await server.adminCommand('XADD', 'stream', '1-1', 'before', 'x');
    const running = pool.xread('BLOCK', 0, 'STREAMS', 'stream', id);
    await forget();
    await server.adminCommand('XADD', 'stream', '1-2', 'meanwhile', 'x');
    expect(await running).toEqual([['stream', [['1-2', ['meanwhile', 'x']]]]]);
    // Of the lane and of the lease.
    await waitUntil(() => pool.stats().stalls >= 1, { what: 'the silence was counted' });
    expect(pool.stats()).toMatchObject({ resends: 1 });
    await untilAtRest(pool);
  });

  test('XREAD goes on as often as retryReads says, and no longer than it was to take', async () => {
    const pool = openPool({ retryReads: 0 });
    const lost = errorOf(pool.xread('BLOCK', 0, 'STREAMS', 'stream', '0-0'));
    await forget();
    expect(await lost).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST' });
    const patient = openPool();
    const begunAt = performance.now();
    const running = patient.xread('BLOCK', 4_000, 'STREAMS', 'stream', '0-0');
    await forget();
    expect(await running).toBeNull();
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(3_990);
    expect(performance.now() - begunAt).toBeLessThan(5_500);
    expect(patient.stats().resends).toBe(1);
  });

  test('XREAD whose connection is reset goes on at once', async () => {
    const pool = openPool();
    const running = pool.xread('BLOCK', 500_000, 'STREAMS', 'stream', '0-0');
    await untilParked(server, 1);
    proxy.reset();
    await untilParked(server, 0);
    await untilParked(server, 1);
    await server.adminCommand('XADD', 'stream', '1-1', 'a', 'b');
    expect(await running).toEqual([['stream', [['1-1', ['a', 'b']]]]]);
  });

  test('an abort and close() end it as ever', async () => {
    const pool = openPool();
    const controller = new AbortController();
    const aborted = errorOf(
      pool.scope({ signal: controller.signal }).xread('BLOCK', 0, 'STREAMS', 's', '0-0'),
    );
    const closed = errorOf(pool.xread('BLOCK', 0, 'STREAMS', 's', '0-0'));
    await forget(2);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await pool.close({ timeoutMs: 300 });
    expect(['RP_ERR_CLOSING', 'RP_ERR_CLOSED']).toContain((await closed).code);
  });
});

describe('a parked command on a sound connection', () => {
  test('is asked for again and again, on the same connection, and gets what comes later', async () => {
    const pool = openPool();
    const running = pool.blpop('list', 0);
    await untilParked(server, 1);
    const [before] = await leaseClients(server, pool);
    await waitUntil(async () => ((await callsAt(server)).get('blpop') ?? 0) >= 3, {
      what: 'the third slice',
    });
    await server.adminCommand('RPUSH', 'list', 'x');
    expect(await running).toEqual(['list', 'x']);
    expect((await leaseClients(server, pool)).map(({ id }) => id)).toEqual([before?.id]);
    expect(pool.stats()).toMatchObject({ stalls: 0, lostConnections: 0 });
  });

  test('ends at its own time', async () => {
    const pool = openPool();
    const begunAt = performance.now();
    expect(await pool.blpop('list', 2.5)).toBeNull();
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(2_490);
    expect(performance.now() - begunAt).toBeLessThan(3_400);
    expect((await callsAt(server)).get('blpop')).toBe(3);
  });

  test('that waits for less than a slice, or without heartbeats, is sent once, as it is', async () => {
    const clock = openPool();
    const time = outcomeOf(clock.brpop('none', 0));
    const pool = openPool({ heartbeatMs: 0 });
    const running = [
      clock.blpop('none', 0.9),
      pool.blpop('list', 0),
      pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$'),
    ];
    await waitUntil(async () => ((await callsAt(server)).get('brpop') ?? 0) >= 3, { what: 'two slices' });
    await server.adminCommand('RPUSH', 'list', 'x');
    await server.adminCommand('XADD', 'stream', '1-1', 'a', 'b');
    expect(await Promise.all(running)).toEqual([null, ['list', 'x'], [['stream', [['1-1', ['a', 'b']]]]]]);
    const calls = await callsAt(server);
    expect([calls.get('blpop'), calls.get('xread'), calls.get('xrevrange')]).toEqual([2, 1, undefined]);
    clock.destroy();
    await time;
  });

  test('on a lease keeps its place among the calls of the holder', async () => {
    const pool = openPool();
    await pool.lease(async (lease) => {
      const calls = [
        lease.blpop('list', 0),
        lease.xread('BLOCK', 0, 'STREAMS', 'stream', '$'),
        lease.pipeline().blpop('list', 0).set('key', 'chain').exec(),
        lease.get('key'),
      ];
      await untilParked(server, 1);
      await server.adminCommand('RPUSH', 'list', '1');
      await waitUntil(async () => (await callsAt(server)).get('xread') === 1, { what: 'XREAD waits' });
      await server.adminCommand('XADD', 'stream', '1-1', 'a', 'b');
      await server.adminCommand('RPUSH', 'list', '2');
      expect(await Promise.all(calls)).toEqual([
        ['list', '1'],
        [['stream', [['1-1', ['a', 'b']]]]],
        [
          [null, ['list', '2']],
          [null, 'OK'],
        ],
        'chain',
      ]);
    });
  });

  test('is not given up while it waits behind another one', async () => {
    const pool = openPool();
    await pool.lease(async (lease) => {
      const calls = [lease.blpop('a', 0), lease.blpop('b', 0)];
      // More than a slice and what the server may be late by.
      await waitUntil(async () => ((await callsAt(server)).get('blpop') ?? 0) >= 5, {
        what: 'the fifth slice',
        timeoutMs: 10_000,
      });
      await server.adminCommand('RPUSH', 'b', 'x');
      await server.adminCommand('RPUSH', 'a', 'y');
      expect(await Promise.all(calls)).toEqual([
        ['a', 'y'],
        ['b', 'x'],
      ]);
    });
    expect(pool.stats().stalls).toBe(0);
  });
});
