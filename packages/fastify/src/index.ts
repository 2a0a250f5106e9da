export type { GivenPoolOptions, OwnPoolOptions, RedisPoolPluginOptions, Startup } from './options.js';
export { redisPool, redisPool as default } from './plugin.js';
export type { FastifyRedis, FastifyRequestRedis, RedisNamespaces } from './types.js';
