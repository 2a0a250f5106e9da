export type { ClosableServer, Startup } from '@redis-pool/core/adapter';
export type { CloseWithOptions, Closing, ClosingReport } from './closing.js';
export { redisPool, redisPool as default } from './middleware.js';
export type {
  ExpressRequestRedis,
  RedisMiddleware,
  RedisNamespaces,
  RedisPoolMiddlewareOptions,
} from './types.js';
