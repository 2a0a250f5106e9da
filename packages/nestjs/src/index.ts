export type { Startup } from '@redis-pool/core/adapter';
export { RedisPoolExceptionFilter } from './exception-filter.js';
export { RedisPoolModule } from './module.js';
export type {
  RedisPoolFactoryOptions,
  RedisPoolModuleAsyncOptions,
  RedisPoolModuleOptions,
  RedisPoolOptionsFactory,
} from './options.js';
export { getRedisToken, InjectRedis, ReqRedis } from './tokens.js';
export type { WithRedis } from './with-redis.js';
