import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildApp } from '../src/app.js';
import { startTestRedis, type TestRedis } from './redis.js';

let redis: TestRedis;
let app: FastifyInstance;

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  const reconnect = { maxDelayMs: 100 };
  app = await buildApp({ redis: { url: redis.url, commandTimeoutMs: 500, reconnect } });
  await app.redis.ready();
  await app.redis.flushdb();
});
afterEach(() => app.close());

const ada = { name: 'Ada', email: 'ada@example.org' };

test('a user that was put can be read', async () => {
  expect((await app.inject({ method: 'PUT', url: '/user/7', payload: ada })).statusCode).toBe(204);
  const answer = await app.inject('/user/7');
  expect([answer.statusCode, answer.json()]).toEqual([200, ada]);
});

test('a user that nobody put is not found', async () => {
  expect((await app.inject('/user/8')).statusCode).toBe(404);
});

test.each([{ name: 'Ada' }, { ...ada, email: 'nowhere' }, { ...ada, name: '' }])(
  'a user must be complete: %o',
  async (payload) => {
    const answer = await app.inject({ method: 'PUT', url: '/user/7', payload });
    expect(answer.statusCode).toBe(400);
    expect((await app.inject('/user/7')).statusCode).toBe(404);
  },
);

test('only what a user has is stored', async () => {
  await app.inject({ method: 'PUT', url: '/user/7', payload: { ...ada, admin: 'yes' } });
  expect((await app.inject('/user/7')).json()).toEqual(ada);
});

test('an identifier cannot reach other keys', async () => {
  expect((await app.inject('/user/7:secret')).statusCode).toBe(400);
});

test('counters count each post, also many at once', async () => {
  expect((await app.inject('/counter/visits')).json()).toEqual({ value: 0 });
  const posts = Array.from({ length: 50 }, () => app.inject({ method: 'POST', url: '/counter/visits' }));
  const values = (await Promise.all(posts)).map((answer) => answer.json().value as number);
  expect(new Set(values).size).toBe(50);
  expect((await app.inject('/counter/visits')).json()).toEqual({ value: 50 });
});

test('all of it takes one connection', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, id) => app.inject(`/user/${id}`)));
  expect(await redis.clients()).toHaveLength(1);
});

test('while Redis is away it is alive, not ready, and asks to try later; then it goes on', async () => {
  await redis.kill();
  const away = new Promise<void>((resolve) => {
    if (app.redis.status === 'degraded') resolve();
    app.redis.on('degraded', resolve);
  });
  await away;
  expect((await app.inject('/live')).statusCode).toBe(200);
  const ready = await app.inject('/ready');
  expect([ready.statusCode, ready.json()]).toEqual([503, { redis: 'degraded' }]);
  const refused = await app.inject('/user/7');
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  await redis.restart();
  await app.redis.ready({ timeoutMs: 5_000 });
  expect((await app.inject('/ready')).statusCode).toBe(200);
  expect((await app.inject('/user/7')).statusCode).toBe(404);
});

test('it boots without Redis, and health checks open nothing', async () => {
  const lazy = await buildApp({ redis: { name: 'other', url: redis.url, startup: 'lazy' } });
  expect((await lazy.inject('/live')).statusCode).toBe(200);
  expect((await lazy.inject('/ready')).statusCode).toBe(503);
  expect(lazy.redis.stats().connectAttempts).toBe(0);
  await lazy.close();
});
