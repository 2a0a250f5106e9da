import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedisPool } from '../../src/index.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('a server that ends each connection as soon as it is made', () => {
  useLeakCheck(() => [server]);

  it('is asked again with growing pauses', async () => {
    const pool = createRedisPool({ url: server.url, reconnect: { minDelayMs: 20, maxDelayMs: 5_000 } });
    const end = (): void => void server.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    pool.on('ready', end).on('restored', end);
    const startedAt = performance.now();
    await pool.ready();
    await waitUntil(() => performance.now() - startedAt > 1_500, { what: 'the end of the window' });
    // Without growing pauses, of 10 ms on average, it would be a hundred.
    expect(pool.stats().connectAttempts).toBeLessThanOrEqual(20);
    expect(pool.stats().connectAttempts).toBeGreaterThan(2);
    pool.off('ready', end).off('restored', end);
    await pool.ready({ timeoutMs: 10_000 });
    expect(await pool.ping()).toBe('PONG');
    await pool.close();
  });
});
