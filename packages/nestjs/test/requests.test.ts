import type {
  CallHandler,
  CanActivate,
  ExecutionContext,
  INestApplication,
  MiddlewareConsumer,
  NestInterceptor,
  NestMiddleware,
} from '@nestjs/common';
import { VersioningType } from '@nestjs/common';
import type { RequestRedis } from '@redis-pool/core';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NestApps, STACKS, type Stack } from './apps.js';
import { get } from './http.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();
beforeEach(() => server.adminCommand('FLUSHALL'));

/** A request as a guard has it, or as middleware has it. */
interface WithRedis {
  readonly redis: RequestRedis & { readonly cache: RequestRedis };
}

describe.each(STACKS)('%s', (_name, stack) => {
  /** Whatever Nest puts around a handler notes that it ran, through the request's own redis. */
  function steps({ nest }: Stack) {
    const { common, adapter } = nest;
    const seen = new Set<object>();
    const note = async ({ redis }: WithRedis, step: string): Promise<void> => {
      seen.add(redis);
      await redis.rpush('steps', step);
    };

    class Middleware implements NestMiddleware {
      async use(request: WithRedis, _response: unknown, next: () => void) {
        await note(request, 'middleware');
        next();
      }
    }

    class Guard implements CanActivate {
      async canActivate(context: ExecutionContext) {
        await note(context.switchToHttp().getRequest(), 'guard');
        return true;
      }
    }

    class Interceptor implements NestInterceptor {
      async intercept(context: ExecutionContext, next: CallHandler) {
        await note(context.switchToHttp().getRequest(), 'interceptor');
        return next.handle();
      }
    }

    @common.Controller({ path: 'steps', version: '1' })
    class Steps {
      @common.Get(':id')
      @common.UseGuards(new Guard())
      @common.UseInterceptors(new Interceptor())
      async handle(@adapter.ReqRedis() redis: RequestRedis, @adapter.ReqRedis('cache') cache: RequestRedis) {
        await note({ redis } as WithRedis, 'handler');
        await cache.rpush('steps', 'cache');
        return { steps: await redis.lrange('steps', 0, -1), label: redis.label, objects: seen.size };
      }
    }

    @common.Module({
      imports: [
        adapter.RedisPoolModule.forRoot({ url: server.url }),
        adapter.RedisPoolModule.forRoot({ url: server.url, namespace: 'cache' }),
      ],
      controllers: [Steps],
    })
    class App {
      configure(consumer: MiddlewareConsumer) {
        consumer.apply(Middleware).forRoutes('*path');
      }
    }

    const prepare = (app: INestApplication): void => {
      app.setGlobalPrefix('api');
      app.enableVersioning({ type: VersioningType.URI });
      app.use(async (request: WithRedis, _response: unknown, next: () => void) => {
        await note(request, 'global');
        next();
      });
    };
    return { App, prepare };
  }

  const everything = {
    steps: ['global', 'middleware', 'guard', 'interceptor', 'handler', 'cache'],
    label: 'GET /api/v1/steps/:id',
    objects: 1,
  };

  test('middleware, guards, interceptors and handlers of one request share its redis, under a prefix and a version', async () => {
    const { App, prepare } = steps(stack);
    const { url } = await apps.listen(stack, { imports: [App] }, { prepare });
    const { body } = await get(`${url}/api/v1/steps/7`);
    expect(JSON.parse(body)).toEqual(everything);
  });

  test('so they do in an application that @nestjs/testing makes of a compiled module', async () => {
    const { App, prepare } = steps(stack);
    const { Test } = stack.nest.testing;
    const compiled = await Test.createTestingModule({ imports: [App] }).compile();
    const adapter = stack.nest.platforms[stack.platform]();
    const app = apps.add(compiled.createNestApplication(adapter, { logger: false }));
    prepare(app);
    await app.listen(0, '127.0.0.1');
    const { body } = await get(`${await app.getUrl()}/api/v1/steps/7`);
    expect(JSON.parse(body)).toEqual(everything);
  });

  test('a request without a route has its redis too', async () => {
    const { adapter } = stack.nest;
    const labels: string[] = [];
    const prepare = (app: INestApplication): void => {
      app.use(async ({ redis }: WithRedis, _response: unknown, next: () => void) => {
        labels.push(redis.label);
        next();
      });
    };
    const imports = [adapter.RedisPoolModule.forRoot({ url: server.url })];
    const { url } = await apps.listen(stack, { imports }, { prepare });
    expect((await get(`${url}/nowhere`)).status).toBe(404);
    expect(labels).toEqual(['GET (no route)']);
  });

  test('requestSignal is called with the request of the platform', async () => {
    const { common, adapter } = stack.nest;
    const requests: unknown[] = [];

    @common.Controller()
    class Signals {
      @common.Get()
      async handle(@common.Req() request: WithRedis) {
        await request.redis.ping();
        return { same: requests[0] === request };
      }
    }

    const requestSignal = (request: unknown): undefined => {
      requests.push(request);
    };
    const imports = [adapter.RedisPoolModule.forRoot({ url: server.url, requestSignal })];
    const { url } = await apps.listen(stack, { imports, controllers: [Signals] });
    expect((await get(url)).body).toBe('{"same":true}');
  });
});

test('on Fastify without middleware support, handlers have their redis', async () => {
  const stack = (STACKS[1] as (typeof STACKS)[number])[1];
  const { common, adapter } = stack.nest;
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');

  @common.Controller()
  class Ping {
    @common.Get()
    handle(@adapter.ReqRedis() redis: RequestRedis) {
      return redis.ping();
    }
  }

  const platforms = { ...stack.nest.platforms, fastify: () => new FastifyAdapter({ skipMiddie: true }) };
  const nest = { ...stack.nest, platforms };
  const imports = [adapter.RedisPoolModule.forRoot({ url: server.url })];
  const { url } = await apps.listen({ ...stack, nest }, { imports, controllers: [Ping] });
  expect((await get(url)).body).toBe('PONG');
});
