import { createRedisPool } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { redisPool } from '../src/index.js';
import { useApps } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const newApp = useApps();
beforeEach(() => server.adminCommand('FLUSHALL'));

async function startApp() {
  const app = newApp();
  await app.register(redisPool, { url: server.url });
  app.get('/hit', (request) => request.redis.incr('hits'));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, url };
}

async function connectionNames(): Promise<string[]> {
  return (await server.clients()).map(({ name }) => name);
}

async function connectionsReceived(): Promise<number> {
  const info = String(await server.adminCommand('INFO', 'stats'));
  return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
}

test('200 requests at once go over one connection', async () => {
  await server.clients();
  const before = await connectionsReceived();
  const { app, url } = await startApp();
  const answers = await Promise.all(Array.from({ length: 200 }, () => get(`${url}/hit`)));
  expect(new Set(answers.map(({ body }) => Number(body))).size).toBe(200);
  expect(await connectionNames()).toEqual([expect.stringMatching(/^default:lane:\d+$/)]);
  expect((await connectionsReceived()) - before).toBe(1);
  await app.close();
});

test('two applications in one process share the connection, and closing one leaves the other working', async () => {
  const [first, second] = [await startApp(), await startApp()];
  await Promise.all([get(`${first.url}/hit`), get(`${second.url}/hit`)]);
  expect(await connectionNames()).toHaveLength(1);
  await first.app.close();
  expect((await get(`${second.url}/hit`)).body).toBe('3');
  await expect(first.app.redis.ping()).rejects.toMatchObject({ code: 'RP_ERR_CLOSED' });
  await second.app.close();
  await waitUntil(async () => (await connectionNames()).length === 0, { what: 'the connection is gone' });
});

test('the application shares the connection with code that has no request', async () => {
  const { app, url } = await startApp();
  const pool = createRedisPool({ url: server.url });
  await pool.set('hits', 41);
  expect((await get(`${url}/hit`)).body).toBe('42');
  expect(await connectionNames()).toHaveLength(1);
  await Promise.all([app.close(), pool.close()]);
});
