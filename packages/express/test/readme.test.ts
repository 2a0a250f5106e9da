import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { Express } from 'express';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { MAJORS, useApps } from './apps.js';
import { get, post } from './http.js';
import { RawClient } from './raw-client.js';
import { blockOf, removeBlocks, runBlock } from './readme.js';

// With this as its place, the program finds the package by its name.
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await removeBlocks();
  await server.stop();
});
useLeakCheck(() => [server]);
beforeEach(() => server.adminCommand('FLUSHALL'));
const apps = useApps();

test('the program of the README serves requests, and SIGTERM ends it', async () => {
  await server.adminCommand('HSET', 'user:7', 'name', 'Ada');
  const env = { ...process.env, REDIS_URL: server.url, PORT: '0' };
  const args = ['--input-type=module', '--eval', blockOf('js program', 'closeWith')];
  const child = spawn(process.execPath, args, { cwd: PACKAGE, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${await listeningPort(createInterface(child.stdout))}`;
  expect(JSON.parse((await get(`${url}/user/7`)).body)).toEqual({ name: 'Ada' });
  expect((await get(`${url}/user/8`)).status).toBe(404);
  expect(JSON.parse((await post(`${url}/hits`)).body)).toEqual({ hits: 1 });
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

describe.each(MAJORS)('%s, what the README says of', (_name, express) => {
  async function stage(block: string) {
    const redis = apps.pool({ url: server.url, commandTimeoutMs: 100 });
    const app: Express = express().use(redis) as Express;
    const { url, server: http } = await apps.listen(app);
    await redis.ready();
    await runBlock(blockOf('js with server', block), { app, redis, server: http });
    return { url, redis, http };
  }

  test('async handlers: what they reject with is answered', async () => {
    const { url } = await stage('const caught');
    await server.adminCommand('SET', 'greeting', 'hello');
    expect((await get(`${url}/greeting`)).body).toBe('hello');
    server.freeze();
    try {
      expect((await get(`${url}/greeting`)).status).toBe(503);
    } finally {
      server.thaw();
    }
  });

  test('streaming: it reads while it is sent', async () => {
    const { url } = await stage("app.get('/users'");
    await Promise.all(
      ['Ada', 'Grace'].map((name) => server.adminCommand('HSET', `user:${name}`, 'name', name)),
    );
    const { body, headers } = await get(`${url}/users`);
    const names = body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).name);
    expect(names.sort()).toEqual(['Ada', 'Grace']);
    expect(headers['content-type']).toMatch(/ndjson/);
  });

  test('server-sent events: they end with the client, and with the server', async () => {
    const { url, redis, http } = await stage("app.get('/events'");
    const [leaving, staying] = [new RawClient(url), new RawClient(url)];
    for (const client of [leaving, staying]) client.send('/events');
    await Promise.all([leaving.until('200 OK'), staying.until('200 OK')]);
    await redis.pool.publish('news', 'one');
    await Promise.all([leaving.until('data: one\n\n'), staying.until('data: one\n\n')]);
    leaving.hangUp();
    await waitUntil(() => redis.pool.stats().hangUps === 1, { what: 'one has left' });
    await redis.closeWith(http).close();
    await staying.untilClosed();
    expect(staying.received.endsWith('0\r\n\r\n')).toBe(true);
  });

  test('work after the response: it is done, and drained at the end', async () => {
    const { url, redis } = await stage("app.post('/orders/:id'");
    expect((await post(`${url}/orders/7`)).status).toBe(202);
    expect(await redis.close()).toMatchObject({ drained: true });
    expect(await server.adminCommand('LRANGE', 'invoices', 0, -1)).toEqual(['7']);
  });

  test('websockets: their subscriptions end with the socket, and with the server', async () => {
    const { url, redis, http } = await stage('WebSocketServer');
    const [leaving, staying] = [new WebSocket(url), new WebSocket(url)];
    const received: string[] = [];
    for (const socket of [leaving, staying]) socket.on('message', (data) => received.push(String(data)));
    await waitUntil(async () => (await redis.pool.publish('news', 'one')) > 0 && received.length > 1, {
      what: 'both get messages',
    });
    leaving.terminate();
    await once(leaving, 'close');
    const closed = once(staying, 'close');
    const startedAt = performance.now();
    await redis.closeWith(http).close();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect((await closed)[0]).toBe(1001);
  });
});

async function listeningPort(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const port = /port: (\d+)/.exec(line)?.[1];
    if (port !== undefined) return port;
  }
  throw new Error('The program ended without listening');
}
