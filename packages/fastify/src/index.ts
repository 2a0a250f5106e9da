export type { Startup } from '@redis-pool/core/adapter';
export { redisPool, redisPool as default } from './plugin.js';
export type { FastifyRedis, FastifyRequestRedis, RedisNamespaces, RedisPoolPluginOptions } from './types.js';
