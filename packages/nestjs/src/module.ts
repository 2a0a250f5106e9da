import { type DynamicModule, Global, Module, type Provider } from '@nestjs/common';
import type { WebPoolOptions } from '@redis-pool/core/adapter';
import { ApplicationPools } from './application-pools.js';
import type {
  RedisPoolModuleAsyncOptions,
  RedisPoolModuleOptions,
  RedisPoolOptionsFactory,
} from './options.js';
import { getRedisToken } from './tokens.js';

const OPTIONS = Symbol('@redis-pool/nestjs options');
const FACTORY = Symbol('@redis-pool/nestjs options factory');

/** Once in each application, whatever number of pools it has. Global: its hooks come first, and at the end last. */
@Global()
@Module({ providers: [ApplicationPools], exports: [ApplicationPools] })
class ApplicationPoolsModule {}

/**
 * Pools to inject, `req.redis` on every route, and their orderly end.
 *
 * @example
 * ```ts
 * \@Module({ imports: [RedisPoolModule.forRoot({ url: 'redis://127.0.0.1:6379' })] })
 * class AppModule {}
 * ```
 */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: what a module of Nest looks like
export class RedisPoolModule {
  /** A pool. For several: each with its `namespace`. */
  static forRoot<Request = unknown>(options: RedisPoolModuleOptions<Request> = {}): DynamicModule {
    const { isGlobal, ...poolOptions } = options;
    return poolModule({ ...poolOptions, isGlobal }, [{ provide: OPTIONS, useValue: poolOptions }]);
  }

  /** A pool whose options come from other providers. */
  static forRootAsync<Request = unknown>(options: RedisPoolModuleAsyncOptions<Request>): DynamicModule {
    return {
      ...poolModule(options, asyncProviders(options)),
      imports: [ApplicationPoolsModule, ...(options.imports ?? [])],
    };
  }
}

function poolModule(
  { namespace, isGlobal = true }: Pick<RedisPoolModuleAsyncOptions, 'namespace' | 'isGlobal'>,
  optionProviders: readonly Provider[],
): DynamicModule {
  const token = getRedisToken(namespace);
  const pool: Provider = {
    provide: token,
    useFactory: (pools: ApplicationPools, options: WebPoolOptions<never>) => pools.open(namespace, options),
    inject: [ApplicationPools, OPTIONS],
  };
  return {
    module: RedisPoolModule,
    global: isGlobal,
    imports: [ApplicationPoolsModule],
    providers: [...optionProviders, pool],
    exports: [token],
  };
}

function asyncProviders(options: RedisPoolModuleAsyncOptions<never>): Provider[] {
  if ('useFactory' in options) {
    return [{ provide: OPTIONS, useFactory: options.useFactory, inject: options.inject ?? [] }];
  }
  const factory: Provider =
    'useClass' in options
      ? { provide: FACTORY, useClass: options.useClass }
      : { provide: FACTORY, useExisting: options.useExisting };
  return [
    factory,
    {
      provide: OPTIONS,
      useFactory: (made: RedisPoolOptionsFactory) => made.createRedisPoolOptions(),
      inject: [FACTORY],
    },
  ];
}
