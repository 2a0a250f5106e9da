import { createRedisPool, getRedisPool, RedisPool, RequestRedis } from '@redis-pool/core';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import redisPoolByDefault, { redisPool } from '../src/index.js';
import { useApps } from './apps.js';

declare module '../src/index.js' {
  interface RedisNamespaces {
    cache: RedisPool;
    queue: RedisPool;
  }
}

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
beforeEach(() => server.adminCommand('FLUSHALL'));
const newApp = useApps();

describe('one pool', () => {
  test('is fastify.redis, and request.redis is a scope of it, the same one all through the request', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    app.get('/', async (request) => {
      const first = request.redis;
      await first.set('greeting', 'hello');
      return {
        same: first === request.redis,
        label: request.redis.label,
        isScope: request.redis instanceof RequestRedis,
      };
    });
    const answer = await app.inject('/');
    expect(answer.json()).toEqual({ same: true, label: 'GET /', isScope: true });
    expect(app.redis).toBeInstanceOf(RedisPool);
    expect(await app.redis.get('greeting')).toBe('hello');
  });

  test('gives each request a scope of its own', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    const seen = new Set<object>();
    app.get('/', async (request) => seen.add(request.redis).size);
    await app.inject('/');
    await app.inject('/');
    expect(seen.size).toBe(2);
  });

  test('makes no scope for a request that does not touch it', async () => {
    const app = newApp();
    const pool = createRedisPool({ url: server.url });
    let scopes = 0;
    const scope = pool.scope.bind(pool);
    pool.scope = (options) => {
      scopes += 1;
      return scope(options);
    };
    await app.register(redisPool, { client: pool, closeClient: true });
    app.get('/quiet', async () => 'ok');
    app.get('/busy', (request) => request.redis.ping());
    await app.inject('/quiet');
    expect(scopes).toBe(0);
    await app.inject('/busy');
    expect(scopes).toBe(1);
  });

  test('is seen by routes of child contexts and by hooks that come after it', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    app.addHook('onRequest', async (request) => void (await request.redis.incr('hits')));
    await app.register(async (child) => {
      child.get('/child', (request) => request.redis.get('hits'));
    });
    expect((await app.inject('/child')).body).toBe('1');
  });

  test('names a request without a route', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    app.setNotFoundHandler(async (request) => request.redis.label);
    expect((await app.inject('/nowhere')).body).toBe('GET (no route)');
  });

  test('takes the options that Fastify reads, and is its own default export', async () => {
    const app = newApp();
    await app.register(redisPoolByDefault, { url: server.url, prefix: '/v1', logLevel: 'warn' });
    expect(await app.redis.ping()).toBe('PONG');
    expect(redisPoolByDefault).toBe(redisPool);
  });

  test('cannot be registered twice', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    const again = async () => app.register(redisPool, { url: server.url });
    await expect(again()).rejects.toThrow('@redis-pool/fastify has already been registered');
  });
});

describe('namespaces', () => {
  test('are pools of their own, named after the namespace', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url, namespace: 'cache' });
    await app.register(redisPool, { url: `${server.url}/1`, namespace: 'queue', name: 'jobs' });
    app.get('/', async (request) => {
      const first = request.redis.cache;
      await first.set('key', 'in cache');
      await request.redis.queue.set('key', 'in queue');
      return { same: first === request.redis.cache, label: request.redis.queue.label };
    });
    expect((await app.inject('/')).json()).toEqual({ same: true, label: 'GET /' });
    expect(await app.redis.cache.get('key')).toBe('in cache');
    expect(await app.redis.queue.get('key')).toBe('in queue');
    expect(app.redis.cache.name).toBe('cache');
    expect(app.redis.queue.name).toBe('jobs');
    expect(Object.keys(app.redis)).toEqual(['cache', 'queue']);
  });

  test('hang on the pool without a namespace when there is one', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    await app.register(redisPool, { url: `${server.url}/1`, namespace: 'cache' });
    app.get('/', async (request) => [
      await request.redis.get('where'),
      await request.redis.cache.get('where'),
    ]);
    await app.redis.set('where', 'main');
    await app.redis.cache.set('where', 'cache');
    expect((await app.inject('/')).json()).toEqual(['main', 'cache']);
  });

  test('can be asked for their state after the close', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    await app.register(redisPool, { url: server.url, namespace: 'cache' });
    await app.close();
    expect([app.redis.status, app.redis.cache.status]).toEqual(['closed', 'closed']);
  });

  test('cannot be registered twice, nor a pool without one after them', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url, namespace: 'cache' });
    const again = async () => app.register(redisPool, { url: server.url, namespace: 'cache' });
    await expect(again()).rejects.toThrow("Redis 'cache' instance namespace has already been registered");
    const other = newApp();
    await other.register(redisPool, { url: server.url, namespace: 'cache' });
    const main = async () => other.register(redisPool, { url: server.url });
    await expect(main()).rejects.toThrow('@redis-pool/fastify has already been registered');
  });

  test.each(['get', 'pipeline', 'status', 'scope', 'constructor', 'then'])(
    'cannot be called %s',
    async (namespace) => {
      const register = async () => newApp().register(redisPool, { url: server.url, namespace });
      await expect(register()).rejects.toThrow(`Redis '${namespace}' cannot be a namespace`);
    },
  );

  test('cannot have the name of a script or a field of what they hang on', async () => {
    for (const namespace of ['takeToken', 'label']) {
      const app = newApp();
      const scripts = { takeToken: { lua: 'return 1', numberOfKeys: 0 } };
      await app.register(redisPool, { url: server.url, scripts });
      const register = async () => app.register(redisPool, { url: server.url, namespace });
      await expect(register()).rejects.toThrow(`Redis '${namespace}' cannot be a namespace`);
      await app.close();
    }
  });

  test('of two encapsulated parts are apart', async () => {
    const app = newApp();
    for (const [index, part] of ['/a', '/b'].entries()) {
      await app.register(async (child) => {
        await child.register(redisPool, {
          url: `${server.url}/${index}`,
          namespace: 'cache',
          name: `cache${index}`,
        });
        child.get(part, async (request) => request.redis.cache.incr('hits'));
      });
    }
    expect((await app.inject('/a')).body).toBe('1');
    expect((await app.inject('/b')).body).toBe('1');
    expect(app.hasDecorator('redis')).toBe(false);
  });
});

describe('a given handle', () => {
  test('is fastify.redis itself, and stays open', async () => {
    const pool = createRedisPool({ url: server.url });
    const app = newApp();
    await app.register(redisPool, { client: pool });
    expect(app.redis).toBe(pool);
    await app.close();
    expect(await pool.ping()).toBe('PONG');
    await pool.close();
  });

  test('is closed with the application when closeClient says so, in a namespace too', async () => {
    const client = createRedisPool({ url: server.url });
    const app = newApp();
    await app.register(redisPool, { client, closeClient: true, namespace: 'cache' });
    await app.close();
    expect(client.status).toBe('closed');
  });

  test('can be used by one application after the other, with the same namespaces', async () => {
    const client = createRedisPool({ url: server.url });
    for (const _ of [1, 2]) {
      const app = newApp();
      await app.register(redisPool, { client });
      await app.register(redisPool, { url: server.url, namespace: 'cache' });
      expect(await app.redis.cache.ping()).toBe('PONG');
      await app.close();
    }
    await client.close();
  });

  test('can be a handle of getRedisPool()', async () => {
    const first = newApp();
    await first.register(redisPool, { url: server.url });
    const second = newApp();
    await second.register(redisPool, { client: getRedisPool(), closeClient: true });
    await first.close();
    expect(await second.redis.ping()).toBe('PONG');
  });

  test('excludes options of a pool', async () => {
    const client = createRedisPool({ url: server.url });
    // @ts-expect-error -- with a client there is nothing left to say
    const both = async () => newApp().register(redisPool, { client, url: server.url });
    await expect(both()).rejects.toThrow('Options "client" and "url" exclude each other');
    await client.close();
  });

  test('that is an instance of ioredis is refused, and left alone', async () => {
    const client = new Redis(server.url, { lazyConnect: true });
    // @ts-expect-error -- not a RedisPool
    const register = async () => newApp().register(redisPool, { client });
    await expect(register()).rejects.toThrow(/"client" must be a RedisPool.*received an object/);
    expect(client.status).toBe('wait');
  });
});

describe('wrong options', () => {
  test.each([
    [{ startup: 'eager' }, /"startup" must be "require" or "optional" or "lazy", received "eager"/],
    [{ namespace: '' }, /"namespace" must be a non-empty string, received ""/],
    [{ closeClient: true }, /"closeClient" needs "client"/],
    [{ host: 'localhost' }, /did you mean "redis.host"/],
    [{ client: null }, /"client" must be a RedisPool.*received null/],
  ])('%o', async (options, message) => {
    // @ts-expect-error -- wrong by intent
    const register = async () => newApp().register(redisPool, options);
    await expect(register()).rejects.toMatchObject({
      code: 'RP_ERR_INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  });

  test('a pool of that name with other options is an error, and stays as it is', async () => {
    const app = newApp();
    await app.register(redisPool, { url: server.url });
    const register = async () => newApp().register(redisPool, { url: `${server.url}/1` });
    await expect(register()).rejects.toMatchObject({ code: 'RP_ERR_POOL_CONFLICT' });
    expect(await app.redis.ping()).toBe('PONG');
  });

  test('when something else is called redis the pool is closed again', async () => {
    const app = newApp();
    app.decorate('redis', 'taken' as never);
    const register = async () => app.register(redisPool, { url: server.url });
    await expect(register()).rejects.toMatchObject({ code: 'FST_ERR_DEC_ALREADY_PRESENT' });
    expect(() => getRedisPool()).toThrow('No Redis pool "default"');
  });
});
