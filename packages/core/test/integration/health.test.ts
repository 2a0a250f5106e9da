import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { callsAt, usePools } from '../fault/pool-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool, joinPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

describe('health()', () => {
  test('of a pool that is up is ok, with the time that a PING takes', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.delay({ ms: 20, direction: 'toClient' });
    const { ok, status, pingMs, error } = await pool.health();
    expect({ ok, status, error }).toEqual({ ok: true, status: 'ready', error: undefined });
    expect(pingMs).toBeGreaterThan(15);
    expect(pingMs).toBeLessThan(1_000);
  });

  test('sends one PING however many ask at once, through whatever handle, and another one later', async () => {
    const pool = openPool({ name: 'asked-at-once', url: server.url });
    const other = joinPool('asked-at-once');
    await pool.ready();
    const before = await callsAt(server, 'ping');
    const checks = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? pool : other).health());
    expect((await Promise.all(checks)).every(({ ok }) => ok)).toBe(true);
    expect((await callsAt(server, 'ping')) - before).toBe(1);
    await pool.health();
    expect((await callsAt(server, 'ping')) - before).toBe(2);
  });

  test('opens nothing: a pool that was not used is not ok, with no cause', async () => {
    const pool = openPool({ url: server.url });
    const { error, ...rest } = await pool.health();
    expect(rest).toEqual({ ok: false, status: 'connecting', pingMs: undefined });
    expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    expect(error).not.toHaveProperty('cause');
    expect(pool.stats().connectAttempts).toBe(0);
  });

  test('without a connection says so at once, with the last failure as cause', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.stats().connectFailures > 0, { what: 'an attempt to connect has failed' });
    const health = await pool.health();
    expect(health).toMatchObject({ ok: false, status: 'degraded', pingMs: undefined });
    expect(health.error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', cause: { code: 'RP_ERR_CONNECT' } });
  });

  test('timeout: is over in time with a server that does not answer, each in its own, and the late reply is nobody’s', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    server.freeze();
    const startedAt = performance.now();
    const [short, long] = [pool.health({ timeoutMs: 50 }), pool.health({ timeoutMs: 5_000 })];
    const health = await short;
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(health).toMatchObject({ ok: false, status: 'ready', pingMs: undefined });
    expect(health.error).toMatchObject({
      code: 'RP_ERR_COMMAND_TIMEOUT',
      maybeExecuted: true,
      message:
        `Redis pool "${pool.name}" got no reply to PING within 50 ms (timeoutMs of health()). ` +
        'Where the time went: 50 ms waiting for the server',
    });
    server.thaw();
    expect(await long).toMatchObject({ ok: true });
    expect(await pool.echo('own')).toBe('own');
  });

  test('a PING that fails while it runs is an answer, and the next check is a new one', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { maxDelayMs: 50 }, retryReads: 0 });
    await pool.ready();
    server.freeze();
    const checks = [pool.health(), pool.health()];
    await waitUntil(() => pool.stats().lanes[0]?.inFlight === 1, { what: 'the PING is sent' });
    proxy.reset();
    for (const { ok, error } of await Promise.all(checks)) {
      expect([ok, error]).toEqual([false, expect.objectContaining({ code: 'RP_ERR_CONNECTION_LOST' })]);
    }
    server.thaw();
    await waitUntil(async () => (await pool.health()).ok, { what: 'the pool is healthy again' });
  });

  test('a PING that fails when nobody waits any more is no unhandled rejection', async () => {
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 150, retryReads: 0 });
    await pool.ready();
    server.freeze();
    expect(await pool.health({ timeoutMs: 20 })).toMatchObject({ ok: false });
    // The leak check around the test finds the rejection.
    await waitUntil(() => pool.stats().errors.RP_ERR_COMMAND_TIMEOUT === 2, { what: 'the PING has failed' });
  });

  test('close: a pool that is closing or closed says so', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.delay({ ms: 50, direction: 'toClient' });
    const running = pool.set('key', 'value');
    const closing = pool.close();
    expect(await pool.health()).toMatchObject({
      ok: false,
      status: 'draining',
      error: expect.objectContaining({ code: 'RP_ERR_CLOSING' }),
    });
    await Promise.all([running, closing]);
    expect(await pool.health()).toMatchObject({
      ok: false,
      status: 'closed',
      error: expect.objectContaining({ code: 'RP_ERR_CLOSED' }),
    });
  });

  test('close: so does a handle that was closed, while the other is healthy', async () => {
    const pool = openPool({ name: 'one-closed', url: server.url });
    const other = joinPool('one-closed');
    await pool.ready();
    await pool.close();
    expect(await pool.health()).toMatchObject({
      ok: false,
      status: 'closed',
      error: expect.objectContaining({ code: 'RP_ERR_CLOSED' }),
    });
    expect(await other.health()).toMatchObject({ ok: true });
  });

  test.each([0, -1, 1.5, Number.NaN])('timeoutMs %d is refused, synchronously', (timeoutMs) => {
    const pool = openPool({ url: server.url });
    expect(() => pool.health({ timeoutMs })).toThrow(
      expect.objectContaining({
        code: 'RP_ERR_INVALID_OPTION',
        message: expect.stringContaining('"timeoutMs"'),
      }),
    );
  });
});
