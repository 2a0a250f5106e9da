import { waitUntil } from '@redis-pool/testkit';
import { describe, expect, test } from 'vitest';
import type { Bench } from './bench.js';

export function healthTests(bench: Bench): void {
  describe('health', () => {
    test('is good while Redis answers', async () => {
      const client = await bench.client();
      await waitUntil(async () => (await client.get('/ready')).status === 200, { what: 'it is ready' });
      expect((await client.get('/ready')).body).toEqual({ ready: true, redis: 'ready' });
      expect((await client.get('/live')).body).toEqual({ status: 'alive' });
    });

    test('while Redis is away it is alive, not ready, and asks to try later; then it goes on', async () => {
      const client = await bench.client({ COMMAND_TIMEOUT_MS: '300' });
      await client.put('/stock/lamp').send({ quantity: 1 }).expect(204);
      await bench.redis.kill();
      await waitUntil(async () => (await client.get('/ready')).status === 503, { what: 'it is not ready' });
      expect((await client.get('/ready')).body).toEqual({ ready: false, redis: 'degraded' });
      expect((await client.get('/live')).status).toBe(200);
      const attempts = [client.get('/user/7'), client.post('/counter/visits'), client.get('/session')];
      for (const { status, body, headers } of await Promise.all(attempts)) {
        expect([status, body, headers['retry-after']]).toEqual([503, { error: 'Service Unavailable' }, '1']);
      }
      await bench.redis.restart();
      await waitUntil(async () => (await client.get('/ready')).status === 200, { what: 'it is ready again' });
      expect((await client.get('/user/7')).status).toBe(404);
    });

    test('is bad while Redis is there and does not answer, and is told in time', async () => {
      const client = await bench.client({ COMMAND_TIMEOUT_MS: '300' });
      await client.get('/user/7').expect(404);
      bench.redis.freeze();
      const { status, body } = await client.get('/ready').timeout(3_000);
      expect([status, body.ready]).toEqual([503, false]);
      bench.redis.thaw();
      await waitUntil(async () => (await client.get('/ready')).status === 200, { what: 'it is ready again' });
    });

    test('it boots without Redis', async () => {
      await bench.redis.kill();
      const client = await bench.client();
      expect((await client.get('/live')).status).toBe(200);
      expect((await client.get('/ready')).status).toBe(503);
      await bench.redis.restart();
      await waitUntil(async () => (await client.get('/ready')).status === 200, {
        timeoutMs: 10_000,
        what: 'it is ready',
      });
    });
  });

  describe('the state', () => {
    test('has the numbers of the pool', async () => {
      const client = await bench.client({ WORKERS: '0' });
      await client.post('/counter/visits').expect(200);
      const { status, body } = await client.get('/state');
      expect(status).toBe(200);
      expect(body).toMatchObject({
        status: 'ready',
        lanes: [{ up: true, inFlight: expect.any(Number) }],
        leases: { leased: 0, waiting: 0 },
        hangUps: 0,
      });
      expect(body.commands).toBeGreaterThanOrEqual(2);
      expect(body.latency.count).toBeGreaterThanOrEqual(2);
    });

    test('has no secret in it', async () => {
      await bench.redis.adminCommand('CONFIG', 'SET', 'requirepass', 'swordfish');
      const { host, port } = bench.redis;
      try {
        const client = await bench.client({ REDIS_URL: `redis://:swordfish@${host}:${port}` });
        await client.post('/counter/visits').expect(200);
        const { text } = await client.get('/state');
        expect(text).not.toContain('swordfish');
        expect(text).not.toContain(String(port));
        await bench.closeApps();
      } finally {
        await bench.redis.adminCommand('CONFIG', 'SET', 'requirepass', '');
      }
    });
  });
}
