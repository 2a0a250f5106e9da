import { createServer } from 'node:http';
import { createRedisPool, RequestRedis } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { type ErrorRequestHandler, type Request, Router } from 'express';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import redisPoolByDefault, { redisPool } from '../src/index.js';
import { MAJORS, urlOf, useApps } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
beforeEach(() => server.adminCommand('FLUSHALL'));
const apps = useApps();

const sendError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).json({ code: error.code, message: error.message });
};

async function json(url: string): Promise<unknown> {
  return JSON.parse((await get(url)).body);
}

describe.each(MAJORS)('%s: req.redis', (_name, express) => {
  test('is a scope of the pool, the same one all through the request', async () => {
    const redis = apps.pool({ url: server.url });
    const app = express();
    app.use(redis);
    app.get('/', async (req, res) => {
      const first = req.redis;
      await first.set('greeting', 'hello');
      res.json([first === req.redis, first instanceof RequestRedis, await redis.pool.get('greeting')]);
    });
    const { url } = await apps.listen(app);
    expect(await json(url)).toEqual([true, true, 'hello']);
  });

  test('makes no scope for a request that does not touch it, and one where it is mounted twice', async () => {
    const client = createRedisPool({ url: server.url });
    let scopes = 0;
    const scope = client.scope.bind(client);
    client.scope = (options) => {
      scopes += 1;
      return scope(options);
    };
    const redis = apps.pool({ client, closeClient: true });
    const app = express();
    const router = Router();
    app.use(redis, redis);
    app.use('/busy', redis, router);
    router.use(redis);
    app.get('/quiet', (_req, res) => void res.json('ok'));
    router.get('/', async (req, res) => void res.json([await req.redis.ping(), await req.redis.ping()]));
    const { url } = await apps.listen(app);
    await get(`${url}/quiet`);
    expect(scopes).toBe(0);
    expect(await json(`${url}/busy`)).toEqual(['PONG', 'PONG']);
    expect(scopes).toBe(1);
  });

  test('is not there for requests that have not passed the middleware', async () => {
    const redis = apps.pool({ url: server.url });
    const app = express();
    const router = Router();
    app.use('/with', redis, router);
    router.get('/', (req, res) => void res.json(typeof req.redis));
    app.get('/without', (req, res) => void res.json(typeof req.redis));
    const { url } = await apps.listen(app);
    expect(await json(`${url}/with`)).toBe('object');
    expect(await json(`${url}/without`)).toBe('undefined');
  });

  test('reaches into sub-applications, and out of one that has mounted it', async () => {
    const redis = apps.pool({ url: server.url });
    const app = express();
    const inner = express();
    const outer = express();
    inner.use(redis);
    inner.get('/here', async (req, res) => void res.json(await req.redis.incr('hits')));
    app.use('/inner', inner);
    app.use('/inner', (req, res) => void res.json(typeof req.redis));
    app.use('/outer', redis, outer);
    outer.get('/', async (req, res) => void res.json(await req.redis.incr('hits')));
    const { url } = await apps.listen(app);
    expect(await json(`${url}/inner/here`)).toBe(1);
    expect(await json(`${url}/inner/elsewhere`)).toBe('object');
    expect(await json(`${url}/outer`)).toBe(2);
  });

  test('works in a router that runs without an application', async () => {
    const redis = apps.pool({ url: server.url, serverTiming: true });
    const router = Router();
    router.use(redis);
    router.get('/', async (req, res) => void res.end(String(await req.redis.incr('hits'))));
    const bare = createServer((req, res) => router(req as never, res as never, () => res.end()));
    bare.listen(0, '127.0.0.1');
    const url = await urlOf(bare);
    const { body, headers } = await get(url);
    expect([body, headers['server-timing']]).toEqual(['1', expect.stringContaining('1 command')]);
    await new Promise((resolve) => bare.close(resolve));
  });

  test('does not take the place of something else', async () => {
    const app = express();
    app.use((req, _res, next) => {
      Object.assign(req, { redis: 'taken' });
      next();
    });
    app.use(apps.pool({ url: server.url }), sendError);
    const { url } = await apps.listen(app);
    expect(await json(url)).toEqual({
      code: 'RP_ERR_INVALID_OPTION',
      message: '"req.redis" is something else already',
    });
  });
});

describe.each(MAJORS)('%s: namespaces', (_name, express) => {
  const both = (req: Request) => Promise.all([req.redis.get('where'), req.redis.cache.get('where')]);

  test.each([
    ['after', [0, 1]],
    ['before', [1, 0]],
  ])('go together, mounted %s the pool without one', async (_order, order) => {
    const pools = [
      apps.pool({ url: server.url }),
      apps.pool({ url: `${server.url}/1`, namespace: 'cache' }),
    ] as const;
    await pools[0].pool.set('where', 'main');
    await pools[1].pool.set('where', 'cache');
    const app = express();
    for (const index of order) app.use(pools[index as 0 | 1]);
    app.get('/', async (req, res) => void res.json(await both(req)));
    const { url } = await apps.listen(app);
    expect(await json(url)).toEqual(['main', 'cache']);
  });

  test.each([
    ['the pool without one', undefined, 'cache'],
    ['one of them', 'cache', undefined],
  ])('come in also where %s has been used already', async (_what, first, second) => {
    const options = (namespace: string | undefined) => ({
      url: `${server.url}/${namespace === undefined ? 0 : 1}`,
      namespace,
    });
    const [one, two] = [apps.pool(options(first)), apps.pool(options(second))];
    const app = express();
    const use = (req: Request) => (first === undefined ? req.redis : req.redis.cache);
    const seen: unknown[] = [];
    app.use(one);
    app.use((req, _res, next) => {
      seen.push(use(req));
      use(req)
        .set('where', 'first')
        .then(() => next(), next);
    });
    app.use(two);
    app.get('/', async (req, res) => {
      seen.push(use(req));
      res.json(await both(req));
    });
    const { url } = await apps.listen(app);
    expect(await json(url)).toEqual(first === undefined ? ['first', null] : [null, 'first']);
    expect(seen[0]).toBe(seen[1]);
  });

  test.each([undefined, 'cache'])(
    'of two pools in one place, %s, the second is refused',
    async (namespace) => {
      const app = express();
      app.use(
        apps.pool({ url: server.url, namespace }),
        apps.pool({ url: server.url, namespace }),
        sendError,
      );
      const { url } = await apps.listen(app);
      expect(await json(url)).toMatchObject({
        code: 'RP_ERR_INVALID_OPTION',
        message: expect.stringContaining('has already been registered'),
      });
    },
  );
});

describe.each(MAJORS)('%s: the label of a request', (_name, express) => {
  test('is its method and its route, with the prefixes of routers and sub-applications', async () => {
    const app = express();
    const sub = express();
    const router = Router();
    app.use(apps.pool({ url: server.url }));
    app.use('/v1', sub);
    sub.use('/users', router);
    router.get('/:id', (req, res) => void res.json(req.redis.label));
    app.get(['/a', '/b'], (req, res) => void res.json(req.redis.label));
    app.use((req, res) => void res.json(req.redis.label));
    const { url } = await apps.listen(app);
    expect(await json(`${url}/v1/users/7`)).toBe('GET /v1/users/:id');
    expect(await json(`${url}/b`)).toBe('GET /a,/b');
    expect(await json(`${url}/secret/path`)).toBe('GET (no route)');
  });

  test('is asked for late: a first use before the route does not settle it', async () => {
    const app = express();
    app.use(apps.pool({ url: server.url }), (req, _res, next) => next(req.redis && undefined));
    app.get('/late/:id', (req, res) => void res.json(req.redis.label));
    const { url } = await apps.listen(app);
    expect(await json(`${url}/late/1`)).toBe('GET /late/:id');
  });

  test('keeps the prefix of a router that an error has left', async () => {
    const app = express();
    const router = Router();
    app.use(apps.pool({ url: server.url }));
    app.use('/users', router);
    router.get('/:id', (req, _res, next) => next(new Error(req.redis.label)));
    app.use(((_error, req, res, _next) => void res.json(req.redis.label)) as ErrorRequestHandler);
    const { url } = await apps.listen(app);
    expect(await json(`${url}/users/7`)).toBe('GET /users/:id');
  });
});

describe('redisPool()', () => {
  test('is its own default export, and takes no options at all', async () => {
    expect(redisPoolByDefault).toBe(redisPool);
    const redis = redisPool();
    expect(redis.pool.name).toBe('default');
    await redis.close();
  });

  test.each([
    [{ startup: 'eager' }, /"startup" must be 'require', 'optional' or 'lazy', received 'eager'/],
    [{ namespace: 'get' }, /Redis 'get' cannot be a namespace/],
    [{ host: 'localhost' }, /did you mean "redis.host"/],
  ])('refuses wrong options at once: %o', (options, message) => {
    // @ts-expect-error -- wrong by intent
    expect(() => redisPool(options)).toThrow(message);
  });

  test('close() refuses a wrong time at once, and may be called twice', async () => {
    const redis = apps.pool({ url: server.url });
    expect(() => redis.close({ timeoutMs: -1 })).toThrow(/"timeoutMs" must be an integer/);
    const [first, second] = await Promise.all([redis.close(), redis.close()]);
    expect(first).toBe(second);
    expect(redis.pool.status).toBe('closed');
  });

  test('a start that has failed leaves a pool that goes on trying, until it is closed', async () => {
    await server.kill();
    const redis = apps.pool({ url: server.url, connectTimeoutMs: 50 });
    await expect(redis.ready()).rejects.toMatchObject({ code: expect.stringMatching(/RP_ERR_CONNECT/) });
    await server.restart();
    await waitUntil(() => redis.pool.status === 'ready', { what: 'the pool is ready' });
  });
});

declare module '../src/index.js' {
  interface RedisNamespaces {
    cache: RequestRedis;
  }
}
