// Checked by the compiler only (tsconfig.check.json): each line that should not compile says so.
import type { IncomingMessage } from 'node:http';
import {
  Controller,
  type DynamicModule,
  Get,
  Inject,
  Injectable,
  type InjectionToken,
  Req,
} from '@nestjs/common';
import type { RedisPool, RequestRedis } from '@redis-pool/core';
import type { FastifyRequest } from 'fastify';
import {
  getRedisToken,
  InjectRedis,
  RedisPoolModule,
  type RedisPoolModuleOptions,
  type RedisPoolOptionsFactory,
  ReqRedis,
  type WithRedis,
} from '../src/index.js';

declare const pool: RedisPool;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<_Claim extends true>(): void {}

class Config {
  readonly url = 'redis://127.0.0.1';
}

@Injectable()
class Factory implements RedisPoolOptionsFactory {
  createRedisPoolOptions() {
    return { url: 'redis://127.0.0.1', startup: 'lazy' } as const;
  }
}

export function modules(): void {
  const module = RedisPoolModule.forRoot();
  holds<Same<typeof module, DynamicModule>>();
  RedisPoolModule.forRoot({
    url: 'redis://127.0.0.1',
    startup: 'optional',
    namespace: 'cache',
    isGlobal: false,
  });
  RedisPoolModule.forRoot({ client: pool, closeClient: true });
  RedisPoolModule.forRoot({ url: undefined, client: undefined });
  RedisPoolModule.forRoot({ requestSignal: ({ signal }: FastifyRequest) => signal });
  const options: RedisPoolModuleOptions = { url: 'redis://127.0.0.1' };
  RedisPoolModule.forRoot(options);
  // @ts-expect-error -- no such mode
  RedisPoolModule.forRoot({ startup: 'eager' });
  // @ts-expect-error -- no such option
  RedisPoolModule.forRoot({ hots: 'localhost' });
  // @ts-expect-error -- a pool of the module is always closed by it
  RedisPoolModule.forRoot({ closeClient: true });
}

export function asyncModules(): void {
  RedisPoolModule.forRootAsync({ useFactory: () => ({}) });
  RedisPoolModule.forRootAsync({
    namespace: 'cache',
    isGlobal: false,
    imports: [class {}],
    inject: [Config],
    useFactory: async ({ url }: Config) => ({ url, serverTiming: true }),
  });
  RedisPoolModule.forRootAsync({ useClass: Factory });
  RedisPoolModule.forRootAsync({ useExisting: 'a token' });
  // @ts-expect-error -- nothing makes the options
  RedisPoolModule.forRootAsync({ namespace: 'cache' });
  // @ts-expect-error -- it makes no options
  RedisPoolModule.forRootAsync({ useClass: Config });
  // @ts-expect-error -- no such mode
  RedisPoolModule.forRootAsync({ useFactory: () => ({ startup: 'eager' }) });
}

export function tokens(): void {
  const token = getRedisToken('cache');
  holds<Same<typeof token, InjectionToken<RedisPool>>>();
}

@Controller()
export class Handlers {
  constructor(
    @InjectRedis() readonly main: RedisPool,
    @InjectRedis('cache') readonly cache: RedisPool,
    @Inject(getRedisToken()) readonly same: RedisPool,
  ) {}

  @Get()
  async handle(
    @ReqRedis() redis: RequestRedis,
    @ReqRedis('cache') cache: RequestRedis,
    @Req() request: WithRedis<IncomingMessage, 'cache'>,
  ): Promise<void> {
    const value = await redis.get('key');
    holds<Same<typeof value, string | null>>();
    const count = await request.redis.cache.incr('key');
    holds<Same<typeof count, number>>();
    void [cache, request.headers];
    // @ts-expect-error -- changes the shared connection
    request.redis.select(1);
    // @ts-expect-error -- not named
    void request.redis.unknown;
    // @ts-expect-error -- set by the module only
    request.redis = redis;
  }
}
