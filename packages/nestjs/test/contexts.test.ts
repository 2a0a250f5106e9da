import { Controller, Inject, Injectable } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { ExternalContextCreator, NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { createRedisPool, RedisPool, type RequestRedis } from '@redis-pool/core';
import { freePort, type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { firstValueFrom } from 'rxjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RedisPoolModule, ReqRedis } from '../src/index.js';
import { moduleOf, NestApps, STACKS } from './apps.js';
import { nest12 } from './nest-versions.js';

let server: RedisServer;
let client: ClientProxy | undefined;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();
beforeEach(() => server.adminCommand('FLUSHALL'));
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await client?.close();
  client = undefined;
});

const OPTIONS = { logger: false, abortOnError: false } as const;

@Controller()
class Messages {
  readonly redis: RedisPool;

  constructor(@Inject(RedisPool) redis: RedisPool) {
    this.redis = redis;
  }

  @MessagePattern('hit')
  hit(@Payload() key: string) {
    return this.redis.incr(key);
  }

  @MessagePattern('request')
  request(@ReqRedis() redis: RequestRedis) {
    return redis.ping();
  }
}

function messagesModule() {
  const redis = RedisPoolModule.forRoot({ url: server.url, commandTimeoutMs: 100, closeTimeoutMs: 200 });
  return moduleOf(nest12, { imports: [redis], controllers: [Messages] });
}

function send(port: number, pattern: string): Promise<unknown> {
  client ??= ClientProxyFactory.create({ transport: Transport.TCP, options: { host: '127.0.0.1', port } });
  return firstValueFrom(client.send(pattern, 'hits'));
}

async function tcpOptions() {
  return { transport: Transport.TCP, options: { host: '127.0.0.1', port: await freePort() } } as const;
}

describe('a microservice', () => {
  test('injects the pool, and closes it', async () => {
    const options = await tcpOptions();
    const settings = { ...OPTIONS, ...options };
    const app = apps.add(
      await NestFactory.createMicroservice<MicroserviceOptions>(messagesModule(), settings),
    );
    await app.listen();
    expect(await send(options.options.port, 'hit')).toBe(1);
    await app.close();
    expect(app.get(RedisPool).status).toBe('closed');
  });

  test('that shares the filters of an HTTP application answers errors of Redis as ever', async () => {
    const options = await tcpOptions();
    const stack = (STACKS[0] as (typeof STACKS)[number])[1];
    const app = await apps.create(stack, { imports: [messagesModule()] });
    app.connectMicroservice<MicroserviceOptions>(options, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    expect(await send(options.options.port, 'hit')).toBe(1);
    const internalError = { status: 'error', message: 'Internal server error' };
    await expect(send(options.options.port, 'request')).rejects.toEqual(internalError);
    server.freeze();
    await expect(send(options.options.port, 'hit')).rejects.toEqual(internalError);
  });
});

describe('an application without a server', () => {
  test('injects the pool; a worker that waits for its end in its last hook is let go', async () => {
    @Injectable()
    class Worker {
      readonly jobs: string[] = [];
      readonly #redis: RedisPool;
      #loop: Promise<void> | undefined;

      constructor(@Inject(RedisPool) redis: RedisPool) {
        this.#redis = redis;
      }

      onApplicationBootstrap(): void {
        this.#loop = this.#work();
      }

      async onApplicationShutdown(): Promise<void> {
        await this.#loop;
        this.jobs.push(`then ${await this.#redis.ping()}`);
      }

      async #work(): Promise<void> {
        try {
          for (;;) this.jobs.push((await this.#redis.blpop('jobs', 0))?.[1] ?? 'none');
        } catch (error) {
          this.jobs.push((error as { code: string }).code);
        }
      }
    }

    const imports = [RedisPoolModule.forRoot({ url: server.url })];
    const module = moduleOf(nest12, { imports, providers: [Worker] });
    const app = apps.add(await NestFactory.createApplicationContext(module, OPTIONS));
    const producer = createRedisPool({ url: server.url });
    await producer.rpush('jobs', 'first');
    const { jobs } = app.get(Worker);
    await waitUntil(() => jobs.length === 1, { what: 'the worker has done its job' });
    await app.close();
    expect(jobs).toEqual(['first', 'RP_ERR_CLOSING', 'then PONG']);
    await producer.close();
  });
});

describe('a resolver', () => {
  const request = { redis: { ping: () => 'PONG', cache: { ping: () => 'PONG of cache' } } };

  @Injectable()
  class Resolver {
    readonly redis: RedisPool;

    constructor(@Inject(RedisPool) redis: RedisPool) {
      this.redis = redis;
    }

    ping(@ReqRedis() redis: RequestRedis, @ReqRedis('cache') cache: RequestRedis) {
      return [redis.ping(), cache.ping()];
    }

    slow() {
      return this.redis.get('key');
    }
  }

  /** As a module for GraphQL calls resolvers. */
  async function call(method: 'ping' | 'slow', context: unknown): Promise<unknown> {
    const redis = RedisPoolModule.forRoot({ url: server.url, commandTimeoutMs: 100, closeTimeoutMs: 200 });
    const module = moduleOf(nest12, { imports: [redis], providers: [Resolver] });
    const app = apps.add(await NestFactory.createApplicationContext(module, OPTIONS));
    const resolver = app.get(Resolver);
    const creator = app.get(ExternalContextCreator);
    const options = { guards: true, filters: true, interceptors: true };
    const resolve = creator.create(
      resolver,
      resolver[method] as (...args: unknown[]) => unknown,
      method,
      ROUTE_ARGS_METADATA,
      { exchangeKeyForValue: () => undefined },
      undefined,
      undefined,
      options,
      'graphql',
    );
    if (method === 'slow') server.freeze();
    return resolve(undefined, {}, context, undefined);
  }

  test('finds the request in its context', async () => {
    expect(await call('ping', { req: request })).toEqual(['PONG', 'PONG of cache']);
  });

  test('is told when there is none', async () => {
    await expect(call('ping', {})).rejects.toMatchObject({
      code: 'RP_ERR_INVALID_OPTION',
      message: expect.stringContaining('in a graphql context'),
    });
  });

  test('rejects with the error of Redis itself', async () => {
    await expect(call('slow', {})).rejects.toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
  });
});
