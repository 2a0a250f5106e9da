import { request } from 'node:http';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisMiddleware } from '../src/index.js';
import { MAJORS, useApps } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = useApps();

/** What Express 4 needs around an async handler: it does not wait for it. */
function caught(handler: (...args: Parameters<RequestHandler>) => Promise<unknown>): RequestHandler {
  return (req, res, next) => {
    handler(req, res, next).catch(next);
  };
}

describe.each(MAJORS)('%s', (name, express) => {
  let app: Express;
  let redis: RedisMiddleware;

  /** The server is frozen: each command times out. */
  beforeEach(async () => {
    redis = apps.pool({ url: server.url, commandTimeoutMs: 50 });
    await redis.ready();
    app = express();
    // What Express answers by itself goes into its log otherwise.
    app.set('env', 'test');
    app.use(redis);
    app.get(
      '/request',
      caught(async (req, res) => void res.json(await req.redis.get('key'))),
    );
    app.get(
      '/pool',
      caught(async (_req, res) => void res.json(await redis.pool.get('key'))),
    );
    app.get(
      '/begun',
      caught(async (req, res) => {
        res.write('begun');
        res.end(await req.redis.get('key'));
      }),
    );
    app.get(
      '/own-header',
      caught(async (req, res) => {
        res.set('retry-after', '30');
        res.json(await req.redis.get('key'));
      }),
    );
    app.get(
      '/stateful',
      caught((req) => req.redis.call('SUBSCRIBE', 'news')),
    );
    app.get('/busy', (_req, _res, next) => next(Object.assign(new Error('Busy'), { statusCode: 503 })));
    app.get('/bug', (_req, _res, next) => next('a string'));
    server.freeze();
  });
  afterEach(() => server.thaw());

  test.each(['/request', '/pool'])('"try later" is answered with 503 and Retry-After: %s', async (path) => {
    app.use(redis.errorHandler);
    const { url } = await apps.listen(app);
    const answer = await get(url + path);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 503,
      code: 'RP_ERR_COMMAND_TIMEOUT',
      error: 'Service Unavailable',
      message: 'A command had no reply by its deadline',
    });
  });

  test('what says no more than that the client hung up is passed on to nobody', async () => {
    const passed: unknown[] = [];
    let isDone = false;
    app.get(
      '/parked',
      caught((req) =>
        req.redis.blpop('queue', 0).finally(() => {
          isDone = true;
        }),
      ),
    );
    app.use(redis.errorHandler);
    app.use(((error, _req, _res, next) => {
      passed.push(error);
      next(error);
    }) as ErrorRequestHandler);
    const { url } = await apps.listen(app);
    server.thaw();
    const client = request(`${url}/parked`).on('error', () => {});
    client.end();
    await waitUntil(() => redis.pool.stats().leases.leased === 1, { what: 'it is parked' });
    client.destroy();
    await waitUntil(() => isDone, { what: 'it has ended' });
    await get(`${url}/bug`);
    expect(passed).toEqual(['a string']);
  });

  test('a header that the handler has set stays', async () => {
    app.use(redis.errorHandler);
    const { url } = await apps.listen(app);
    expect((await get(`${url}/own-header`)).headers['retry-after']).toBe('30');
  });

  test.each([
    ['/stateful', 'RP_ERR_STATEFUL_COMMAND'],
    ['/busy', 'Busy'],
    ['/bug', 'a string'],
  ])('other errors are passed on as they are: %s', async (path, what) => {
    app.use(redis.errorHandler);
    app.use(
      ((error, _req, res, _next) =>
        void res.status(418).send(error.code ?? error.message ?? error)) as ErrorRequestHandler,
    );
    const { url } = await apps.listen(app);
    const { status, body, headers } = await get(url + path);
    expect([status, body, headers['retry-after']]).toEqual([418, what, undefined]);
  });

  test('an error behind the beginning of an answer is passed on: Express cuts the answer', async () => {
    let passed: unknown;
    app.use(redis.errorHandler);
    app.use(((error, _req, _res, next) => {
      passed = error;
      next(error);
    }) as ErrorRequestHandler);
    const { url } = await apps.listen(app);
    await expect(get(`${url}/begun`)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(passed).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
  });

  test('without the error handler Express answers 503 by itself', async () => {
    const { url } = await apps.listen(app);
    const { status, headers } = await get(`${url}/request`);
    expect([status, headers['retry-after']]).toEqual([503, undefined]);
  });

  test.runIf(name === 'express 5')('Express 5 passes on what an async handler rejects with', async () => {
    app.get('/async', async (req, res) => void res.json(await req.redis.get('key')));
    app.use(redis.errorHandler);
    const { url } = await apps.listen(app);
    expect((await get(`${url}/async`)).status).toBe(503);
  });
});
