import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { controlTimer, errorOf, outcomeOf, usePools } from '../fault/pool-harness.js';

const GRACE_MS = 50;
const FAST_RECONNECT = { minDelayMs: 1, maxDelayMs: 5 };

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(() => proxy.close());

describe('ready()', () => {
  test('resolves once a connection is up, for all who wait, and at once from then on', async () => {
    const pool = openPool({ url: server.url });
    await Promise.all([pool.ready(), pool.ready(), pool.ready({ timeoutMs: 1_000 })]);
    expect(await server.clients()).toHaveLength(1);
    let resolved = false;
    void pool.ready().then(() => {
      resolved = true;
    });
    await Promise.resolve().then(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(resolved).toBe(true);
    expect(await outcomeOf(pool.ready({ signal: AbortSignal.timeout(60_000) }))).toMatchObject({
      error: undefined,
    });
  });

  test('timeout: rejects at its limit, by default connectTimeoutMs, while the pool goes on connecting', async () => {
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url, connectTimeoutMs: 120, reconnect: FAST_RECONNECT });
    for (const [options, limitMs] of [
      [{ timeoutMs: 60 }, 60],
      [{}, 120],
      [undefined, 120],
    ] as const) {
      const control = controlTimer(limitMs);
      const { error, settledAt } = await outcomeOf(pool.ready(options));
      expect(error).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT', retryable: true, statusCode: 503 });
      expect(Math.abs(settledAt - (await control))).toBeLessThan(GRACE_MS);
    }
    await proxy.heal();
    await waitUntil(() => pool.status === 'ready', { what: 'the pool connects without being asked again' });
  });

  test('abort: rejects at once with the reason, while the pool goes on connecting', async () => {
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    const reason = new Error('gave up');
    expect(await errorOf(pool.ready({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(pool.stats().connectAttempts).toBe(0);
    const controller = new AbortController();
    const waiting = outcomeOf(pool.ready({ signal: controller.signal }));
    await waitUntil(() => proxy.acceptedCount === 1, { what: 'it connects' });
    controller.abort(reason);
    expect((await waiting).error).toBe(reason);
    await proxy.heal();
    await pool.ready();
  });

  test.each(['close', 'destroy'] as const)('%s: rejects everyone who waits', async (how) => {
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url });
    const waiting = [pool.ready({ timeoutMs: 10_000 }), pool.ready({ timeoutMs: 10_000 })].map(outcomeOf);
    await waitUntil(() => proxy.acceptedCount === 1, { what: 'it connects' });
    const startedAt = performance.now();
    if (how === 'close') await pool.close();
    else pool.destroy();
    for (const { error } of await Promise.all(waiting))
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_CLOSED' });
  });

  test('a limit that is no number of milliseconds is refused, not turned into one', async () => {
    const pool = openPool({ url: server.url });
    for (const timeoutMs of [
      0,
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 31,
      '100' as unknown as number,
    ]) {
      expect(await errorOf(pool.ready({ timeoutMs }))).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    }
  });
});
