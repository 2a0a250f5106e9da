import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { redisPool } from '../src/index.js';

let server: RedisServer;
let app: FastifyInstance;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);

/** The server is frozen: each command times out. */
beforeEach(async () => {
  app = fastify();
  await app.register(redisPool, { url: server.url, commandTimeoutMs: 50, closeTimeoutMs: 200 });
  app.get('/request', (request) => request.redis.get('key'));
  app.get('/pool', () => app.redis.get('key'));
  app.get('/own-header', async (request, reply) => {
    reply.header('retry-after', 30);
    return request.redis.get('key');
  });
  app.get('/bug', async () => {
    throw new Error('A bug');
  });
  app.get('/busy', async () => {
    throw Object.assign(new Error('Busy'), { statusCode: 503 });
  });
  server.freeze();
});
afterEach(async () => {
  server.thaw();
  await app.close();
});

test.each(['/request', '/pool'])(
  'a command that timed out is answered with 503 and Retry-After: %s',
  async (path) => {
    const answer = await app.inject(path);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.json()).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', error: 'Service Unavailable' });
  },
);

test("the application's own error handler keeps the word, and its answer has the header", async () => {
  app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    reply.code(error.statusCode ?? 500).send({ oops: error.code });
  });
  const answer = await app.inject('/request');
  expect(answer.statusCode).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.json()).toEqual({ oops: 'RP_ERR_COMMAND_TIMEOUT' });
});

test('an error handler that sends the error on gets the header too', async () => {
  app.setErrorHandler((error, _request, reply) => reply.send(error));
  const answer = await app.inject('/request');
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1']);
});

test('a header that the handler has set stays', async () => {
  expect((await app.inject('/own-header')).headers['retry-after']).toBe('30');
});

test.each([
  ['/bug', 500],
  ['/busy', 503],
])('errors of others are left as they are: %s', async (path, status) => {
  const answer = await app.inject(path);
  expect(answer.statusCode).toBe(status);
  expect(answer.headers['retry-after']).toBeUndefined();
});

test('a command that may not run on a shared connection is a bug of the application: 500', async () => {
  app.get('/subscribe', (request) => request.redis.call('SUBSCRIBE', 'news'));
  const answer = await app.inject('/subscribe');
  expect(answer.statusCode).toBe(500);
  expect(answer.json()).toMatchObject({ code: 'RP_ERR_STATEFUL_COMMAND' });
  expect(answer.headers['retry-after']).toBeUndefined();
});
