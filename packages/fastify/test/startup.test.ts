import { getRedisPool } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { redisPool } from '../src/index.js';
import { useApps } from './apps.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
afterEach(async () => {
  if (server.status !== 'running') await server.restart();
});
const newApp = useApps();

/** How long `work` took to reject, and with what. */
async function failureOf(work: PromiseLike<unknown>): Promise<{ error: Error; elapsedMs: number }> {
  const startedAt = performance.now();
  const error = await Promise.resolve(work).then(
    () => new Error('It did not fail'),
    (reason: Error) => reason,
  );
  return { error, elapsedMs: performance.now() - startedAt };
}

function expectNoPool(): void {
  expect(() => getRedisPool()).toThrow('No Redis pool "default"');
}

describe("startup: 'require'", () => {
  test('is the default, and has a connection when register is done', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    expect(app.redis.status).toBe('ready');
  });

  test('fails the boot within connectTimeoutMs, says where and why, and leaves nothing open', async () => {
    await server.kill();
    const app = newApp();
    const boot = app.register(redisPool, { url: server.url, connectTimeoutMs: 300 });
    const { error, elapsedMs } = await failureOf(boot);
    expect(elapsedMs).toBeLessThan(500);
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', cause: { code: 'RP_ERR_CONNECT' } });
    expect(error.message).toContain(`127.0.0.1:${server.port}`);
    expect(error.message).toContain('ECONNREFUSED');
    expectNoPool();
  });

  test('fails the boot in time when the server accepts and says nothing', async () => {
    server.freeze();
    const app = newApp();
    const boot = app.register(redisPool, { url: server.url, connectTimeoutMs: 300 });
    const { error, elapsedMs } = await failureOf(boot);
    server.thaw();
    expect(elapsedMs).toBeLessThan(500);
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
    expect(error.message).toContain(`127.0.0.1:${server.port}`);
    expectNoPool();
  });

  test('fails the boot at once for a wrong password', async () => {
    const url = server.url.replace('//', '//somebody:wrong@');
    const app = newApp();
    const { error, elapsedMs } = await failureOf(app.register(redisPool, { url }));
    expect(error).toMatchObject({ code: 'RP_ERR_AUTH' });
    expect(error.message).not.toContain('wrong');
    expect(elapsedMs).toBeLessThan(1_000);
    expectNoPool();
  });

  test('fails listen() too when register was not awaited', async () => {
    await server.kill();
    const app = newApp();
    app.register(redisPool, { url: server.url, connectTimeoutMs: 100 });
    await expect(app.listen({ port: 0 })).rejects.toMatchObject({ code: 'RP_ERR_CONNECT' });
    expectNoPool();
  });

  test('says why before the pluginTimeout of Fastify does not', async () => {
    await server.kill();
    const app = newApp({ pluginTimeout: 500 });
    const boot = app.register(redisPool, { url: server.url, connectTimeoutMs: 5_000 });
    const { error } = await failureOf(boot);
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    expectNoPool();
  });

  test('leaves the pool of another application alone when it fails', async () => {
    const running = newApp();
    await running.register(redisPool, { url: server.url, connectTimeoutMs: 200 });
    await server.kill();
    await waitUntil(() => running.redis.status === 'degraded', { what: 'the pool has lost its connection' });
    const boot = newApp().register(redisPool, { url: server.url, connectTimeoutMs: 200 });
    expect((await failureOf(boot)).error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    await server.restart();
    expect(await running.redis.ping()).toBe('PONG');
  });
});

describe("startup: 'optional'", () => {
  async function startApp(): Promise<FastifyInstance> {
    const app = newApp();
    await app.register(redisPool, {
      url: server.url,
      startup: 'optional',
      commandTimeoutMs: 200,
      reconnect: { maxDelayMs: 100 },
    });
    app.get('/hit', (request) => request.redis.incr('hits'));
    app.get('/live', async () => 'alive');
    return app;
  }

  test('boots without Redis, answers 503 with Retry-After, and works as soon as Redis is there', async () => {
    await server.kill();
    const app = await startApp();
    expect((await app.inject('/live')).statusCode).toBe(200);
    const refused = await app.inject('/hit');
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json()).toMatchObject({ code: 'RP_ERR_UNAVAILABLE' });
    await server.restart();
    await app.redis.ready({ timeoutMs: 5_000 });
    expect((await app.inject('/hit')).statusCode).toBe(200);
  });

  test('connects in the background, without a first command', async () => {
    await startApp();
    await waitUntil(async () => (await server.clients()).length === 1, { what: 'there is a connection' });
  });

  test('can be closed while Redis is away', async () => {
    await server.kill();
    const app = await startApp();
    const { elapsedMs } = await failureOf(app.close());
    expect(elapsedMs).toBeLessThan(1_000);
    expectNoPool();
  });
});

describe("startup: 'lazy'", () => {
  test('opens nothing before the first command', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url, startup: 'lazy' });
    app.get('/touch', async (request) => request.redis.label);
    app.get('/use', (request) => request.redis.ping());
    await app.inject('/touch');
    expect(app.redis.stats().connectAttempts).toBe(0);
    expect(await server.clients()).toHaveLength(0);
    expect((await app.inject('/use')).body).toBe('PONG');
    expect(await server.clients()).toHaveLength(1);
  });
});
