import type { DynamicModule, InjectionToken, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { GivenPoolOptions, OwnPoolOptions, WebPoolOptions } from '@redis-pool/core/adapter';

/** How the module itself is seen by others. */
interface ModuleScope {
  /** Whether every module can inject the pool without importing this one. @default true */
  readonly isGlobal?: boolean | undefined;
}

/**
 * Options of `forRoot()`: those of a pool, how it is mounted, and how it serves requests.
 * `Request`: that of the platform, for `requestSignal`.
 */
export type RedisPoolModuleOptions<Request = unknown> = WebPoolOptions<Request> & ModuleScope;

/** What a factory of options returns: `namespace` is given beside the factory, as the name to inject by. */
export type RedisPoolFactoryOptions<Request = unknown> =
  | Omit<OwnPoolOptions<Request>, 'namespace'>
  | Omit<GivenPoolOptions<Request>, 'namespace'>;

/** A class that makes options, for `useClass` and `useExisting`. */
export interface RedisPoolOptionsFactory<Request = unknown> {
  createRedisPoolOptions(): RedisPoolFactoryOptions<Request> | Promise<RedisPoolFactoryOptions<Request>>;
}

interface AsyncMount extends ModuleScope {
  /** Puts the pool at `redis.<namespace>`. @default none: at `redis` itself */
  readonly namespace?: string | undefined;
  /** Modules with what the factory needs. */
  readonly imports?: DynamicModule['imports'];
}

interface UseFactory<Request> extends AsyncMount {
  readonly useFactory: (
    ...dependencies: never[]
  ) => RedisPoolFactoryOptions<Request> | Promise<RedisPoolFactoryOptions<Request>>;
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
}

interface UseClass<Request> extends AsyncMount {
  readonly useClass: Type<RedisPoolOptionsFactory<Request>>;
}

interface UseExisting<Request> extends AsyncMount {
  readonly useExisting: Type<RedisPoolOptionsFactory<Request>> | string | symbol;
}

/** Options of `forRootAsync()`, which come from other providers: one of three ways. */
export type RedisPoolModuleAsyncOptions<Request = unknown> =
  | UseFactory<Request>
  | UseClass<Request>
  | UseExisting<Request>;
