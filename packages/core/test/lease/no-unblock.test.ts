import { type RedisServer, startFaultProxy, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import {
  callsAt,
  controlTimer,
  errorOf,
  GRACE_MS,
  outcomeOf,
  untilAtRest,
  untilParked,
  usePools,
} from './lease-harness.js';

/** How long a slice is; a cancelled command ends with its slice. */
const SLICE_MS = 500;

let server: RedisServer;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis();
  const users: [name: string, ...rules: string[]][] = [
    ['without-unblock', '-client|unblock'],
    ['without-id', '-client|id'],
    ['without-client', '-client'],
    ['without-range', '-client', '-xrevrange'],
  ];
  for (const [name, ...rules] of users)
    await server.adminCommand('ACL', 'SETUSER', name, 'on', '>pw', '~*', '&*', '+@all', ...rules);
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});

function openAs(user: string, options: RedisPoolOptions = {}): RedisPool {
  return open({ url: `redis://${user}:pw@${server.host}:${server.port}`, ...options });
}

describe.each(['without-unblock', 'without-id', 'without-client'])('a user %s', (user) => {
  test('waits in slices, for ever with timeout 0, and gets what comes later', async () => {
    const pool = openAs(user);
    const parked = pool.blpop('list', 0);
    await untilParked(server, 1);
    await waitUntil(async () => ((await callsAt(server)).get('blpop') ?? 0) >= 2, {
      what: 'the second slice',
    });
    await server.adminCommand('RPUSH', 'list', 'x');
    expect(await parked).toEqual(['list', 'x']);
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
    await server.adminCommand('CONFIG', 'RESETSTAT');
  });

  test('gets null after its own timeout, however many slices that is', async () => {
    const pool = openAs(user);
    await pool.lease((lease) => lease.ping());
    for (const timeoutMs of [10, SLICE_MS + 100]) {
      const begunAt = performance.now();
      expect(await pool.blpop('list', timeoutMs / 1_000)).toBe(null);
      const elapsedMs = performance.now() - begunAt;
      expect(elapsedMs).toBeGreaterThanOrEqual(timeoutMs - 2);
      expect(elapsedMs).toBeLessThan(timeoutMs + 250);
    }
  });

  test('is told of an abort at the end of the slice, and keeps the connection', async () => {
    const pool = openAs(user);
    const controller = new AbortController();
    const parked = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    await untilParked(server, 1);
    const control = controlTimer(SLICE_MS + 200);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await parked).toBe(reason);
    expect(performance.now()).toBeLessThan((await control) + GRACE_MS);
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
  });
});

describe('a user without CLIENT UNBLOCK', () => {
  test('loses no entry of an XREAD $ between two slices', async () => {
    const proxy = await startFaultProxy({ target: server });
    const pool = open({ url: proxy.url, redis: { username: 'without-client', password: 'pw' } });
    await server.adminCommand('XADD', 'stream', '1-1', 'before', 'x');
    const parked = pool.xread('BLOCK', 0, 'STREAMS', 'stream', 'other', '$', '$');
    await untilParked(server, 1);
    // The next slice is on its way for so long: nobody waits at the server then.
    proxy.delay({ ms: 200, direction: 'toServer' });
    await untilParked(server, 0);
    await server.adminCommand('XADD', 'stream', '1-2', 'between', 'x');
    expect(await parked).toEqual([['stream', [['1-2', ['between', 'x']]]]]);
    pool.destroy();
    await proxy.close();
  });

  test('is given the last ID of each stream, not its past: of no stream, an emptied one, and one with entries', async () => {
    const pool = openAs('without-unblock');
    await server.adminCommand('XADD', 'emptied', '5-1', 'a', 'b');
    await server.adminCommand('XTRIM', 'emptied', 'MAXLEN', 0);
    await server.adminCommand('XADD', 'full', '7-1', 'a', 'b');
    const parked = pool.xread('BLOCK', 0, 'STREAMS', 'none', 'emptied', 'full', '$', '$', '$');
    await untilParked(server, 1);
    await waitUntil(async () => ((await callsAt(server)).get('xread') ?? 0) >= 3, {
      what: 'it has asked again',
    });
    await server.adminCommand('XADD', 'emptied', '5-2', 'c', 'd');
    expect(await parked).toEqual([['emptied', [['5-2', ['c', 'd']]]]]);
    await server.adminCommand('CONFIG', 'RESETSTAT');
  });

  // Regression: a refused XREVRANGE was taken for an empty stream, and all of the past came.
  test('who may not ask for the last ID waits in one piece and gets no past', async () => {
    const pool = openAs('without-range');
    await server.adminCommand('XADD', 'stream', '1-1', 'past', 'x');
    const parked = pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$');
    await untilParked(server, 1);
    await controlTimer(SLICE_MS + 100);
    await untilParked(server, 1);
    await server.adminCommand('XADD', 'stream', '1-2', 'new', 'x');
    expect(await parked).toEqual([['stream', [['1-2', ['new', 'x']]]]]);
  });

  test('passes on what the server says of a wrong type', async () => {
    const pool = openAs('without-unblock');
    await pool.set('text', 'x');
    expect((await errorOf(pool.xread('BLOCK', 0, 'STREAMS', 'text', '$'))).message).toContain('WRONGTYPE');
    expect((await errorOf(pool.blpop('text', 0))).message).toContain('WRONGTYPE');
    const chain = await pool.pipeline().blpop('text', 0).get('text').exec();
    expect([chain?.[0]?.[0]?.message, chain?.[1]]).toEqual([
      expect.stringContaining('WRONGTYPE'),
      [null, 'x'],
    ]);
  });

  test('an aborted pipeline hands over what it popped, and ends the other waits as if their time was over', async () => {
    const pool = openAs('without-unblock');
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    await pool.rpush('full', 'x');
    const chain = scope
      .pipeline()
      .blpop('full', 0)
      .blpop('empty', 0)
      .set('after', '1')
      .brpop('empty', 0)
      .exec();
    await untilParked(server, 1);
    controller.abort(new Error('enough'));
    expect(await chain).toEqual([
      [null, ['full', 'x']],
      [null, null],
      [null, 'OK'],
      [null, null],
    ]);
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('a pipeline in slices keeps its order and its own time', async () => {
    const pool = openAs('without-unblock');
    const replies = await pool.lease((lease) => {
      const chain = lease.pipeline().rpush('a', '1').blpop('a', 5).blpop('a', 0.05).rpush('a', '2');
      // The first exec() closes the transaction, the second one sends the chain.
      void chain.multi().llen('a').exec();
      return chain.exec();
    });
    expect(replies).toEqual([
      [null, 1],
      [null, ['a', '1']],
      [null, null],
      [null, 1],
      [null, 'OK'],
      [null, 'QUEUED'],
      [null, [1]],
    ]);
  });

  test.each<[what: string, call: (pool: RedisPool) => Promise<unknown>]>([
    ['a command', (pool) => pool.blpop('list', 0.2)],
    ['a pipeline', (pool) => pool.pipeline().ping().blpop('list', 0.2).ping().exec() as Promise<unknown>],
  ])('%s of a frozen server ends at its own timeout and commandTimeoutMs', async (_, call) => {
    const pool = openAs('without-unblock', { commandTimeoutMs: 150 });
    await pool.lease((lease) => lease.ping());
    server.freeze();
    const running = outcomeOf(call(pool));
    const control = controlTimer(350);
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    server.thaw();
    await untilAtRest(pool);
  });

  test('is drained within a slice', async () => {
    const pool = openAs('without-unblock');
    const parked = errorOf(pool.blpop('list', 0));
    await untilParked(server, 1);
    const report = await pool.close();
    expect(report).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(report.durationMs).toBeLessThan(SLICE_MS + 300);
    expect(await parked).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
  });
});
