import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

/** A gate that requests wait at between two commands. */
interface Gate {
  readonly entered: number;
  open(): void;
}

async function startApp(closeTimeoutMs?: number): Promise<{ app: FastifyInstance; gate: Gate }> {
  const app = newApp();
  await app.register(redisPool, { url: server.url, closeTimeoutMs });
  let entered = 0;
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  app.get('/slow', async (request) => {
    await request.redis.set('step', 'one');
    entered += 1;
    await opened;
    return request.redis.set('step', 'two');
  });
  const gate = {
    get entered() {
      return entered;
    },
    open,
  };
  return { app, gate };
}

// inject() is not known to the server, as requests of the second dual-stack listener are not (fastify#7043):
// Fastify runs onClose hooks while they are still at work.
test('a request that is at work when the application closes can finish its work with Redis', async () => {
  const { app, gate } = await startApp();
  const answer = app.inject('/slow');
  await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
  let closed = false;
  const closing = app.close().then(() => {
    closed = true;
  });
  await waitUntil(() => !app.server.listening && app.redis.status === 'ready', {
    what: 'the server is closed',
  });
  await app.redis.ping();
  expect(closed).toBe(false);
  gate.open();
  const { statusCode, body } = await answer;
  expect([statusCode, body]).toEqual([200, 'OK']);
  await closing;
});

test('so can a request of the second listener of localhost, where there is IPv6', async () => {
  const { app, gate } = await startApp();
  await app.listen({ port: 0, host: 'localhost' });
  const { address, port } = app.addresses().at(-1) as AddressInfo;
  const answer = get(`http://${address.includes(':') ? `[${address}]` : address}:${port}/slow`);
  await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
  const closing = app.close();
  await waitUntil(() => !app.server.listening, { what: 'the server is closed' });
  await app.redis.ping();
  gate.open();
  expect(await answer).toMatchObject({ status: 200, body: 'OK' });
  await closing;
});

test('a request that does not end holds the close up for closeTimeoutMs at most', async () => {
  const { app, gate } = await startApp(300);
  const answer = app.inject('/slow');
  await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
  const startedAt = performance.now();
  await app.close();
  expect(performance.now() - startedAt).toBeLessThan(500);
  gate.open();
  expect((await answer).json()).toMatchObject({ code: 'RP_ERR_CLOSED' });
});

test('a request whose client hung up does not hold the close up', async () => {
  const { app, gate } = await startApp();
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port });
  client.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
  client.destroy();
  await once(client, 'close');
  const startedAt = performance.now();
  await app.close();
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  gate.open();
});

test('first use of Redis after the client hung up does not hold the close up either', async () => {
  const app = newApp();
  await app.register(redisPool, { url: server.url });
  let hungUp = false;
  let reply: unknown;
  app.get('/late', async (request, answer) => {
    answer.raw.once('close', () => {
      hungUp = true;
    });
    await waitUntil(() => hungUp, { what: 'the client hung up' });
    reply = await request.redis.ping();
    return reply;
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port });
  client.end('GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(client, 'finish');
  client.destroy();
  await waitUntil(() => reply === 'PONG', { what: 'the handler has its reply' });
  const startedAt = performance.now();
  await app.close();
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('several pools close at once, not one after the other', async () => {
  const { app, gate } = await startApp(300);
  for (const namespace of ['one', 'two', 'three']) {
    await app.register(redisPool, { url: server.url, namespace, closeTimeoutMs: 300 });
  }
  const answer = app.inject('/slow');
  await waitUntil(() => gate.entered === 1, { what: 'the request is at work' });
  const startedAt = performance.now();
  await app.close();
  expect(performance.now() - startedAt).toBeLessThan(500);
  gate.open();
  await answer;
});
