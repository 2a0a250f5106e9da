import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { errorOf, isIdle, outcomeOf, usePools } from '../fault/pool-harness.js';
import { untilParked, untilWaiting } from '../lease/lease-harness.js';

const ABORTED = {
  value: undefined,
  error: expect.objectContaining({ name: 'AbortError', code: 'ABORT_ERR' }),
};

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

/** Commands wait for a connection. */
async function cutOff(pool: RedisPool): Promise<void> {
  await pool.ready();
  proxy.refuse();
  proxy.reset();
  await waitUntil(() => pool.status === 'degraded', { what: 'the pool has lost its connection' });
}

describe("onHangUp: 'finish'", () => {
  test('ends nothing but what waits at the server', async () => {
    const pool = openPool({ url: proxy.url, maxConnections: 2, reconnect: { maxDelayMs: 50 } });
    const lease = await pool.acquire();
    const scope = pool.scope({ signal: new AbortController().signal });
    const acquiring = scope.acquire();
    await untilWaiting(pool, 1);
    scope.end({ hungUp: true });
    await lease.release();
    const own = await acquiring;
    expect(await own.ping()).toBe('PONG');
    await own.release();
    // Also who begins to wait afterwards.
    const held = await pool.acquire();
    const late = scope.lease((one) => one.ping());
    await untilWaiting(pool, 1);
    await held.release();
    expect(await late).toBe('PONG');
    await cutOff(pool);
    const later = pool.scope();
    const commands = [later.set('key', 'value'), later.get('key'), later.pipeline().incr('count').exec()];
    await waitUntil(() => pool.stats().waitingForConnection === 3, { what: 'the commands wait' });
    later.end({ hungUp: true });
    await proxy.heal();
    expect(await Promise.all(commands)).toEqual(['OK', 'value', [[null, 1]]]);
  });
});

test('the deadline of a scope tells of each command whether the server may have seen it', async () => {
  const pool = openPool({ url: proxy.url });
  await pool.ready();
  const scope = pool.scope({ timeoutMs: 200 });
  server.freeze();
  const sent = outcomeOf(scope.incr('count'));
  await waitUntil(() => pool.stats().lanes[0]?.inFlight === 1, { what: 'it is sent' });
  const other = openPool({ url: proxy.url });
  const unsent = outcomeOf(other.scope({ timeoutMs: 50 }).incr('count'));
  expect((await unsent).error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
  expect((await sent).error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
});

describe("onHangUp: 'abort'", () => {
  test('drops what waits for a connection, and what comes', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { maxDelayMs: 50 } });
    await cutOff(pool);
    const scope = pool.scope({ onHangUp: 'abort' });
    const commands = [
      scope.set('key', 'value'),
      scope.get('key'),
      scope.pipeline().set('key', 'value').exec(),
      scope.multi().set('key', 'value').exec(),
      scope.blpop('queue', 0),
      scope.acquire(),
    ].map(outcomeOf);
    scope.end({ hungUp: true });
    for (const outcome of await Promise.all(commands)) expect(outcome).toMatchObject(ABORTED);
    expect(await errorOf(scope.set('key', 'value'))).toMatchObject({ name: 'AbortError' });
    await proxy.heal();
    expect(await pool.get('key')).toBe(null);
    expect(isIdle(pool)).toBe(true);
  });

  test('leaves sent writes to finish, of every form, and gives up sent reads', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const scope = pool.scope({ onHangUp: 'abort' });
    server.freeze();
    const writes = [
      scope.incr('count'),
      scope.multi().incr('count').get('count').exec(),
      // Chains are judged as a whole: one command of them may be a write.
      scope.pipeline().get('count').incr('count').exec(),
      scope.eval('return redis.call("incr", KEYS[1])', 1, 'count'),
    ];
    const reads = [scope.get('count'), scope.mget('count', 'other'), scope.eval_ro('return 1', 0)].map(
      outcomeOf,
    );
    await waitUntil(() => (pool.stats().lanes[0]?.inFlight ?? 0) >= 11, { what: 'all are sent' });
    scope.end({ hungUp: true });
    for (const outcome of await Promise.all(reads)) expect(outcome).toMatchObject(ABORTED);
    expect(server.status).toBe('frozen');
    server.thaw();
    expect(await Promise.all(writes)).toEqual([
      1,
      [
        [null, 2],
        [null, '2'],
      ],
      [
        [null, '2'],
        [null, 3],
      ],
      4,
    ]);
  });

  test('a write that was handed over to a connection that was lost before it was written is dropped too', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { maxDelayMs: 50 } });
    await pool.ready();
    server.freeze();
    // More than the sockets take.
    const filler = outcomeOf(pool.set('large', 'x'.repeat(8_000_000)));
    await waitUntil(() => (pool.stats().lanes[0]?.inFlight ?? 0) >= 1, { what: 'the filler is on its way' });
    const scope = pool.scope({ onHangUp: 'abort' });
    const unsent = outcomeOf(scope.set('key', 'value'));
    await waitUntil(() => (pool.stats().lanes[0]?.unsentBytes ?? 0) > 0, { what: 'it waits for the socket' });
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.stats().waitingForConnection === 1, { what: 'it waits for a connection' });
    scope.end({ hungUp: true });
    expect(await unsent).toMatchObject(ABORTED);
    expect((await filler).error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST' });
    server.thaw();
    await proxy.heal();
    expect(await pool.get('key')).toBe(null);
  });

  test('waiting for a lease ends; a lease that is held stays, with what is sent on it', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const scope = pool.scope({ onHangUp: 'abort' });
    const lease = await scope.acquire();
    const waiting = outcomeOf(scope.acquire());
    await untilWaiting(pool, 1);
    const parked = outcomeOf(lease.blpop('queue', 0));
    await untilParked(server, 1);
    scope.end({ hungUp: true });
    expect(await waiting).toMatchObject(ABORTED);
    expect(await parked).toMatchObject(ABORTED);
    expect(pool.stats().leases.waiting).toBe(0);
    expect(await lease.set('key', 'value')).toBe('OK');
    await lease.release();
    expect(await pool.get('key')).toBe('value');
  });

  test('without a hang-up it is no different', async () => {
    const pool = openPool({ url: server.url });
    const scope = pool.scope({ onHangUp: 'abort' });
    const running = scope.get('key');
    scope.end({ hungUp: false });
    expect(await running).toBe(null);
    expect(await scope.set('key', 'value')).toBe('OK');
    expect(await errorOf(scope.blpop('queue', 0))).toMatchObject({ name: 'AbortError' });
  });
});
