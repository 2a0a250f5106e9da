import { waitUntil } from '@redis-pool/testkit';
import { describe, expect, test } from 'vitest';
import type { Bench, Client } from './bench.js';

export function rateLimitTests(bench: Bench): void {
  describe('the rate limit', () => {
    test('lets so many requests of a client through, and tells how many are left', async () => {
      const client = await bench.client({ RATE_LIMIT: '3', RATE_WINDOW_MS: '60000' });
      const answers = [await count(client), await count(client), await count(client), await count(client)];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
      const limits = answers.map(({ headers }) => String(headers.ratelimit));
      expect(limits.map((limit) => limit.split(';')[1])).toEqual(['r=2', 'r=1', 'r=0', 'r=0']);
      for (const limit of limits) expect(limit).toMatch(/^"default";r=\d;t=(60|5\d)$/);
      expect(answers.map(({ headers }) => headers['ratelimit-policy'])).toEqual(
        answers.map(() => '"default";q=3;w=60'),
      );
      expect(answers[3]?.body).toEqual({ error: 'Too Many Requests' });
      const [retryAfter, ...none] = answers.map(({ headers }) => headers['retry-after']).reverse();
      expect(retryAfter).toMatch(/^(60|5\d)$/);
      expect(none).toEqual([undefined, undefined, undefined]);
      // The refused one did nothing.
      expect(await bench.redis.adminCommand('GET', 'counter:visits')).toBe('3');
    });

    test('lets exactly so many through when they come at once', async () => {
      const client = await bench.client({ RATE_LIMIT: '20', RATE_WINDOW_MS: '60000' });
      const answers = await Promise.all(Array.from({ length: 60 }, () => count(client)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(40);
    });

    test('slides: a request makes room when it has left the window, and not before', async () => {
      const windowMs = 1_000;
      const client = await bench.client({ RATE_LIMIT: '2', RATE_WINDOW_MS: String(windowMs) });
      const firstAt = performance.now();
      expect((await count(client)).status).toBe(200);
      await waitUntil(() => performance.now() - firstAt > windowMs / 2, { what: 'half the window passed' });
      const secondAt = performance.now();
      expect((await count(client)).status).toBe(200);
      const third = await waitUntil(
        async () => ((await count(client)).status === 200 ? performance.now() : 0),
        {
          what: 'there is room again',
        },
      );
      // Of the two, only the first had left: a window that is emptied at once would have let a fourth through.
      expect(third - firstAt).toBeGreaterThanOrEqual(windowMs - 1);
      const fourth = await count(client);
      if (performance.now() - secondAt < windowMs) expect(fourth.status).toBe(429);
    });

    test('counts each client for itself', async () => {
      const client = await bench.client({ RATE_LIMIT: '1', RATE_WINDOW_MS: '60000' });
      const from = (address: string) => count(client).set('x-forwarded-for', address);
      expect((await from('192.0.2.1')).status).toBe(200);
      expect((await from('192.0.2.2')).status).toBe(200);
      expect((await from('192.0.2.1')).status).toBe(429);
    });

    test('believes no proxy that it was not told of', async () => {
      const client = await bench.client({ RATE_LIMIT: '1', RATE_WINDOW_MS: '60000', TRUST_PROXY: '' });
      expect((await count(client).set('x-forwarded-for', '192.0.2.1')).status).toBe(200);
      expect((await count(client).set('x-forwarded-for', '192.0.2.2')).status).toBe(429);
    });

    test('counts known API keys for themselves, and keeps them out of Redis', async () => {
      const client = await bench.client({
        RATE_LIMIT: '1',
        RATE_WINDOW_MS: '60000',
        API_KEYS: 'first-key,second-key',
      });
      const withKey = (key: string) => count(client).set('x-api-key', key);
      expect((await count(client)).status).toBe(200);
      expect((await withKey('first-key')).status).toBe(200);
      expect((await withKey('second-key')).status).toBe(200);
      expect((await withKey('first-key').set('x-forwarded-for', '192.0.2.1')).status).toBe(429);
      // Inventing keys is no way around the limit.
      expect((await withKey('third-key')).status).toBe(429);
      const keys = (await bench.redis.adminCommand('KEYS', 'rate:*')) as string[];
      expect(keys).toHaveLength(3);
      expect(keys.join()).not.toContain('first-key');
    });

    test('does not hold for the page, its state and health checks', async () => {
      const client = await bench.client({ RATE_LIMIT: '1', RATE_WINDOW_MS: '60000' });
      await count(client).expect(200);
      await count(client).expect(429);
      for (const path of ['/', '/state', '/live', '/ready'])
        expect((await client.get(path)).status).toBe(200);
    });
  });
}

function count(client: Client) {
  return client.post('/counter/visits');
}
