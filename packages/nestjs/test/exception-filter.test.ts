import { request } from 'node:http';
import type { ArgumentsHost, INestApplication, ModuleMetadata } from '@nestjs/common';
import type { RedisPool, RequestRedis } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NestApps, STACKS } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});

interface HeaderSetter {
  header(name: string, value: string): unknown;
}

const TRY_LATER = { status: 503, headers: { 'retry-after': '1' } };

describe.each(STACKS)('%s', (_name, stack) => {
  const { common, core, adapter } = stack.nest;

  /** Answers everything, as many applications have one. */
  @common.Catch()
  class CatchAll {
    catch(_error: unknown, host: ArgumentsHost) {
      const response = host.switchToHttp().getResponse();
      response.status(418).send({ caught: 'by the application' });
    }
  }

  @common.Controller()
  class Routes {
    readonly pool: RedisPool;

    constructor(@adapter.InjectRedis() pool: RedisPool) {
      this.pool = pool;
    }

    @common.Get('request')
    request(@adapter.ReqRedis() redis: RequestRedis) {
      return redis.get('key');
    }

    @common.Get('pool')
    poolItself() {
      return this.pool.get('key');
    }

    @common.Get('own-header')
    ownHeader(
      @common.Res({ passthrough: true }) response: HeaderSetter,
      @adapter.ReqRedis() redis: RequestRedis,
    ) {
      response.header('retry-after', '30');
      return redis.get('key');
    }

    @common.Get('own-filter')
    @common.UseFilters(new CatchAll())
    ownFilter(@adapter.ReqRedis() redis: RequestRedis) {
      return redis.get('key');
    }

    @common.Get('parked')
    parked(@adapter.ReqRedis() redis: RequestRedis) {
      return redis.blpop('queue', 0);
    }

    @common.Get('bug')
    bug() {
      throw new Error('A bug');
    }

    @common.Get('gone')
    gone() {
      throw new common.GoneException();
    }

    @common.Get('stateful')
    stateful(@adapter.ReqRedis() redis: RequestRedis) {
      return redis.call('SUBSCRIBE', 'news');
    }
  }

  /** The server is frozen: each command times out. */
  async function start(
    { imports = [], ...metadata }: ModuleMetadata = {},
    prepare?: (app: INestApplication) => unknown,
  ): Promise<string> {
    const pool = adapter.RedisPoolModule.forRoot({
      url: server.url,
      commandTimeoutMs: 50,
      closeTimeoutMs: 200,
    });
    const { url } = await apps.listen(
      stack,
      { controllers: [Routes], ...metadata, imports: [pool, ...imports] },
      prepare === undefined ? {} : { prepare },
    );
    server.freeze();
    return url;
  }

  test.each(['request', 'pool'])(
    'a command that timed out is answered with 503 and Retry-After: %s',
    async (path) => {
      const url = await start();
      const answer = await get(`${url}/${path}`);
      expect(answer).toMatchObject(TRY_LATER);
      expect(JSON.parse(answer.body)).toEqual({
        statusCode: 503,
        code: 'RP_ERR_COMMAND_TIMEOUT',
        error: 'Service Unavailable',
        message: 'A command had no reply by its deadline',
      });
    },
  );

  test('so is one in a guard, in middleware, and in a middleware function', async () => {
    const guard = { canActivate: () => app.get(adapter.getRedisToken()).get('key').then(Boolean) };
    let app: INestApplication;
    const fail = (
      request: { redis: RequestRedis; url: string },
      _: unknown,
      next: (error?: unknown) => void,
    ) => {
      if (request.url.includes('fail')) request.redis.get('key').then(() => next(), next);
      else next();
    };
    const url = await start({}, (made) => {
      app = made;
      made.useGlobalGuards(guard);
      made.use(fail);
    });
    expect(await get(`${url}/bug`)).toMatchObject(TRY_LATER);
    expect(await get(`${url}/fail`)).toMatchObject(TRY_LATER);
  });

  test('a header that the handler has set stays', async () => {
    const url = await start();
    expect((await get(`${url}/own-header`)).headers['retry-after']).toBe('30');
  });

  test.each([
    ['bug', 500],
    ['gone', 410],
    ['stateful', 500],
  ])('what is no "try later" is answered as ever: %s', async (path, status) => {
    const url = await start();
    const answer = await get(`${url}/${path}`);
    expect([answer.status, answer.headers['retry-after']]).toEqual([status, undefined]);
  });

  describe('filters of the application keep the word', () => {
    const caught = { status: 418, body: '{"caught":"by the application"}' };

    test('one that leaves the answer to Nest answers 503', async () => {
      @common.Catch()
      class LogAll extends core.BaseExceptionFilter {}
      const provider = { provide: core.APP_FILTER, useClass: LogAll };
      const { status, body } = await get(`${await start({ providers: [provider] })}/request`);
      expect([status, JSON.parse(body).statusCode]).toEqual([503, 503]);
    });

    test('one of a handler', async () => {
      const url = await start();
      expect(await get(`${url}/own-filter`)).toMatchObject(caught);
    });

    test('one of useGlobalFilters()', async () => {
      const url = await start({}, (app) => app.useGlobalFilters(new CatchAll()));
      expect(await get(`${url}/request`)).toMatchObject(caught);
    });

    test('one that is a provider', async () => {
      const url = await start({ providers: [{ provide: core.APP_FILTER, useClass: CatchAll }] });
      expect(await get(`${url}/request`)).toMatchObject(caught);
    });
  });

  test('registered again behind a filter that catches everything, it comes first', async () => {
    const url = await start({
      providers: [
        { provide: core.APP_FILTER, useClass: CatchAll },
        { provide: core.APP_FILTER, useClass: adapter.RedisPoolExceptionFilter },
      ],
    });
    expect(await get(`${url}/request`)).toMatchObject(TRY_LATER);
    expect((await get(`${url}/bug`)).status).toBe(418);
  });

  test('what says no more than that the client hung up is dropped', async () => {
    const errors: unknown[] = [];
    const ignore = () => {};
    let app!: INestApplication;
    const url = await start({}, (made) => {
      app = made;
      made.useLogger({ log: ignore, warn: ignore, error: (error: unknown) => void errors.push(error) });
    });
    server.thaw();
    const pool: RedisPool = app.get(adapter.getRedisToken());
    const client = request(`${url}/parked`).on('error', () => {});
    client.end();
    await waitUntil(() => pool.stats().leases.leased === 1, { what: 'it is parked' });
    client.destroy();
    await waitUntil(() => pool.stats().leases.leased === 0, { what: 'it has ended' });
    await get(`${url}/bug`);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ message: 'A bug' });
  });

  test('a response that has begun is ended', async () => {
    class Begun {}
    const begin = async (response: {
      raw?: import('node:http').ServerResponse;
      write(text: string): void;
    }) => {
      const raw = response.raw ?? response;
      raw.write('begun');
      await app.get(adapter.getRedisToken()).get('key');
    };
    const descriptor = { value: begin, configurable: true };
    Object.defineProperty(Begun.prototype, 'begin', descriptor);
    common.Get('begun')(Begun.prototype, 'begin', descriptor);
    common.Res()(Begun.prototype, 'begin', 0);
    common.Controller()(Begun);
    let app!: INestApplication;
    const url = await start({ controllers: [Begun] }, (made) => {
      app = made;
    });
    expect(await get(`${url}/begun`)).toMatchObject({ status: 200, body: 'begun' });
  });
});
