import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createRedisPool, getRedisPool, RedisPool } from '@redis-pool/core';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  getRedisToken,
  InjectRedis,
  RedisPoolModule,
  type RedisPoolModuleOptions,
  type RedisPoolOptionsFactory,
} from '../src/index.js';
import { NestApps } from './apps.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
const apps = new NestApps();

/** An application without HTTP. */
async function start(module: Parameters<typeof NestFactory.createApplicationContext>[0]) {
  const options = { logger: false, abortOnError: false } as const;
  return apps.add(await NestFactory.createApplicationContext(module, options));
}

@Injectable()
class Settings {
  readonly url = server.url;
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class SettingsFactory implements RedisPoolOptionsFactory {
  readonly #settings: Settings;

  constructor(@Inject(Settings) settings: Settings) {
    this.#settings = settings;
  }

  async createRedisPoolOptions() {
    return { url: this.#settings.url };
  }
}

@Module({ imports: [SettingsModule], providers: [SettingsFactory], exports: [SettingsFactory] })
class SettingsFactoryModule {}

describe('forRootAsync() gets its options from', () => {
  const settings = (make: Settings) => ({ url: make.url });

  test.each([
    ['a function with dependencies', { imports: [SettingsModule], inject: [Settings], useFactory: settings }],
    ['a function that takes its time', { useFactory: () => Promise.resolve({ url: server.url }) }],
    ['a class of its own', { imports: [SettingsModule], useClass: SettingsFactory }],
    ['a provider that there is', { imports: [SettingsFactoryModule], useExisting: SettingsFactory }],
  ])('%s', async (_name, options) => {
    const app = await start(RedisPoolModule.forRootAsync(options));
    expect(await app.get(RedisPool).ping()).toBe('PONG');
  });

  test('a factory, for a namespace, and for one module alone', async () => {
    @Injectable()
    class Cache {
      readonly redis: RedisPool;

      constructor(@InjectRedis('cache') redis: RedisPool) {
        this.redis = redis;
      }
    }

    const redis = RedisPoolModule.forRootAsync({
      namespace: 'cache',
      isGlobal: false,
      useFactory: () => ({ url: server.url }),
    });

    @Module({ imports: [redis], providers: [Cache] })
    class CacheModule {}

    const app = await start(CacheModule);
    expect(app.get(Cache).redis.name).toBe('cache');
  });
});

test('a pool that is not global is for the modules that import it', async () => {
  @Injectable()
  class Reader {
    constructor(@InjectRedis() readonly redis: RedisPool) {}
  }

  @Module({ providers: [Reader] })
  class FeatureModule {}

  const options = { url: server.url };
  const app = await start({ module: class {}, imports: [RedisPoolModule.forRoot(options), FeatureModule] });
  expect(await app.get(Reader).redis.ping()).toBe('PONG');
  await app.close();
  // Given up by Nest before the application is one: nobody else closes that handle.
  const pool = createRedisPool(options);
  const imports = [RedisPoolModule.forRoot({ client: pool, isGlobal: false }), FeatureModule];
  await expect(start({ module: class {}, imports })).rejects.toThrow('dependencies of the Reader');
  await pool.close();
});

test('the pool without a namespace is injected as RedisPool, others by their namespace', async () => {
  @Injectable()
  class Pools {
    readonly names: readonly string[];

    constructor(
      @Inject(RedisPool) byClass: RedisPool,
      @InjectRedis() byDecorator: RedisPool,
      @InjectRedis('cache') cache: RedisPool,
      @Inject(getRedisToken('queue')) queue: RedisPool,
    ) {
      this.names = [byClass, byDecorator, cache, queue].map(({ name }) => name);
    }
  }

  @Module({
    imports: [
      RedisPoolModule.forRoot({ url: server.url }),
      RedisPoolModule.forRoot({ url: server.url, namespace: 'cache' }),
      RedisPoolModule.forRoot({ url: server.url, namespace: 'queue', name: 'jobs' }),
    ],
    providers: [Pools],
  })
  class AppModule {}

  const app = await start(AppModule);
  expect(app.get(Pools).names).toEqual(['default', 'default', 'cache', 'jobs']);
});

test('a handle of the application is used, and closed when it says so', async () => {
  const kept = createRedisPool({ url: server.url, name: 'kept' });
  const given = createRedisPool({ url: server.url, name: 'given' });
  const app = await start({
    module: class {},
    imports: [
      RedisPoolModule.forRoot({ client: kept }),
      RedisPoolModule.forRoot({ client: given, closeClient: true, namespace: 'given' }),
    ],
  });
  expect(app.get(RedisPool)).toBe(kept);
  await app.close();
  expect([kept.status, given.status]).toEqual(['ready', 'closed']);
  await kept.close();
});

describe('wrong options', () => {
  const failures: [string, () => RedisPoolModuleOptions, string][] = [
    ['an unknown option', () => ({ hots: 'localhost' }) as RedisPoolModuleOptions, '"hots"'],
    ['an unknown mode', () => ({ startup: 'eager' }) as unknown as RedisPoolModuleOptions, '"startup"'],
    ['no options', () => undefined as unknown as RedisPoolModuleOptions, 'received undefined'],
    ['a namespace of its own', () => ({ namespace: 'other' }), '"namespace"'],
  ];

  test.each(failures)('fail the start, and leave no pool: %s', async (_name, useFactory, message) => {
    const other = RedisPoolModule.forRoot({ url: server.url });
    const wrong = RedisPoolModule.forRootAsync({ namespace: 'wrong', useFactory });
    const failure = start({ module: class {}, imports: [other, wrong] });
    await expect(failure).rejects.toMatchObject({
      code: 'RP_ERR_INVALID_OPTION',
      message: expect.stringContaining(message),
    });
    expect(() => getRedisPool()).toThrow('No Redis pool "default"');
  });

  test('a pool that is made after another has failed does not stay', async () => {
    let makeLate = (): void => {};
    const late = new Promise<void>((resolve) => {
      makeLate = resolve;
    });
    const failure = start({
      module: class {},
      imports: [
        RedisPoolModule.forRoot({ startup: 'eager' } as unknown as RedisPoolModuleOptions),
        RedisPoolModule.forRootAsync({
          namespace: 'late',
          useFactory: () => late.then(() => ({ url: server.url })),
        }),
      ],
    });
    await expect(failure).rejects.toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
    makeLate();
    await late;
    await new Promise(setImmediate);
    expect(() => getRedisPool('late')).toThrow('No Redis pool "late"');
  });
});

describe('applications in one process', () => {
  const options = (): RedisPoolModuleOptions => ({ url: server.url });

  test('share the connection, and closing one leaves the other working', async () => {
    const first = await start(RedisPoolModule.forRoot(options()));
    const second = await start(RedisPoolModule.forRoot(options()));
    expect(await server.clients()).toHaveLength(1);
    await first.close();
    expect(first.get(RedisPool).status).toBe('closed');
    expect(await second.get(RedisPool).ping()).toBe('PONG');
    expect(await server.clients()).toHaveLength(1);
    await second.close();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the connection is gone' });
  });

  test('may be made of the same module object, one after the other', async () => {
    const module = RedisPoolModule.forRoot(options());
    await (await start(module)).close();
    const again = await start(module);
    expect(await again.get(RedisPool).ping()).toBe('PONG');
  });
});
