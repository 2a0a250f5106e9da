import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import fastify from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { redisPool } from '../src/index.js';

let server: RedisServer;
let client: ClientHttp2Session;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);

const newApp = () => fastify({ http2: true });
let app: ReturnType<typeof newApp>;

beforeEach(async () => {
  app = newApp();
  await app.register(redisPool, { url: server.url, serverTiming: true });
  app.get('/hit', (request) => request.redis.incr('hits'));
  app.get('/park', (request) => request.redis.blpop('queue', 0));
  app.get('/large', async (request) => (await request.redis.ping()) + 'x'.repeat(5_000_000));
  client = connect(await app.listen({ port: 0, host: '127.0.0.1' }));
});
afterEach(async () => {
  client.destroy();
  await app.close();
});

async function answerOf(stream: ClientHttp2Stream) {
  const [headers] = await once(stream, 'response');
  let body = '';
  for await (const chunk of stream.setEncoding('utf8')) body += chunk;
  return { headers, body };
}

test('over HTTP/2 an answer is no hang-up, and has its Server-Timing', async () => {
  for (let hits = 1; hits <= 3; hits += 1) {
    const { headers, body } = await answerOf(client.request({ ':path': '/hit' }));
    expect([headers[':status'], body]).toEqual([200, `${hits}`]);
    expect(headers['server-timing']).toMatch(/^redis;dur=[\d.]+;desc="1 command, 0 leases"$/);
  }
  client.close();
  await once(client, 'close');
  await app.close();
  expect(app.redis.stats().hangUps).toBe(0);
});

test.each([
  ['reset', (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ['dropped with its connection', () => client.destroy()],
])('over HTTP/2 a stream that is %s by its client is a hang-up', async (_, leave) => {
  const stream = client.request({ ':path': '/park' });
  stream.on('error', () => {});
  await waitUntil(() => app.redis.stats().leases.blocking === 1, { what: 'the command is parked' });
  leave(stream);
  await waitUntil(() => app.redis.stats().leases.blocking === 0, { what: 'the command was cut' });
  expect(app.redis.stats().hangUps).toBe(1);
});

test('over HTTP/2 leaving in the middle of a large answer is a hang-up', async () => {
  const stream = client.request({ ':path': '/large' });
  await once(stream, 'response');
  stream.close(constants.NGHTTP2_CANCEL);
  await waitUntil(() => app.redis.stats().hangUps === 1, { what: 'the hang-up was seen' });
});
