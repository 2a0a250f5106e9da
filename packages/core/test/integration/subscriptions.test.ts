import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedisPool } from '../../src/index.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('subscriptions of a pool', () => {
  useLeakCheck(() => [server]);

  it('reach listeners and iterators over one connection of their own, named after the pool', async () => {
    const pool = createRedisPool({ url: server.url });
    const heard: string[] = [];
    await pool.subscribe('news', (message) => heard.push(message));
    const iterated = await pool.psubscribe('ne*');
    await pool.publish('news', 'one');
    for await (const { message, pattern } of iterated) {
      expect([message, pattern]).toEqual(['one', 'ne*']);
      break;
    }
    await waitUntil(() => heard.length === 1, { what: 'the message' });
    const names = (await server.clients()).map(({ name }) => name.replace(/\d+$/, ''));
    expect(names.sort()).toEqual(['default:lane:', 'default:subscriber:']);
    expect(pool.stats().connections.used).toBe(2);
    expect(pool.stats().subscriber).toMatchObject({ subscriptions: 1, channels: 1, messages: 2 });
    await pool.close();
  });

  it('of a scope end with its signal', async () => {
    const pool = createRedisPool({ url: server.url });
    const caller = new AbortController();
    const subscription = await pool.scope({ signal: caller.signal }).subscribe('news', () => {});
    expect(subscription.ended).toBe(false);
    caller.abort(new Error('gone'));
    expect(subscription.ended).toBe(true);
    await pool.close();
  });

  it('end with the handle that they were made through, while other handles go on', async () => {
    const pool = createRedisPool({ url: server.url });
    const other = createRedisPool({ url: server.url });
    const subscription = await other.scope().subscribe('news', () => {});
    const kept = await pool.subscribe('news', () => {});
    await other.close();
    expect([subscription.ended, kept.ended]).toEqual([true, false]);
    await pool.close();
    expect(kept.ended).toBe(true);
  });

  it('do not keep close() waiting for a server that is silent', async () => {
    const pool = createRedisPool({ url: server.url, closeTimeoutMs: 5_000 });
    await pool.subscribe('news', () => {});
    server.freeze();
    const { durationMs } = await pool.close();
    server.thaw();
    expect(durationMs).toBeLessThan(2_500);
  });

  it('end with the pool: iterators are done and nothing new starts', async () => {
    const pool = createRedisPool({ url: server.url });
    const subscription = await pool.subscribe('news');
    const next = subscription[Symbol.asyncIterator]().next();
    await pool.close();
    expect(await next).toEqual({ done: true, value: undefined });
    await expect(pool.subscribe('news')).rejects.toMatchObject({ code: 'RP_ERR_CLOSED' });
  });

  it('need a place among the connections', async () => {
    const pool = createRedisPool({ url: server.url, maxConnections: 2 });
    const lease = await pool.acquire();
    await expect(pool.subscribe('news')).rejects.toMatchObject({ code: 'RP_ERR_QUEUE_FULL' });
    await lease.release();
    // An idle lease makes room.
    await pool.subscribe('news', () => {});
    expect(pool.stats().connections.used).toBe(2);
    await pool.close();
  });

  it('refuse wrong arguments at once', async () => {
    const pool = createRedisPool({ url: server.url });
    const invalid = expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' });
    expect(() => pool.subscribe([])).toThrow(invalid);
    expect(() => pool.scope().subscribe('news', undefined, { signal: 1 as never })).toThrow(invalid);
    expect(() => pool.subscribe('news', undefined, 'options' as never)).toThrow(invalid);
    await pool.close();
  });
});
