/**
 * What an adapter for a web framework is made of. It binds these to the framework and holds no rule of its own.
 *
 * @module @redis-pool/core/adapter
 */

export { checkClose } from '../leases/lease-arguments.js';
export { invalidOption } from '../options/option-rules.js';
export { AbortError, isClientGone } from './client-gone.js';
export type { Exchange, ResponseLike } from './exchange.js';
export { MountedPools } from './mounted-pools.js';
export { abandonPool, openPool, type PoolSource, startPool } from './pool-source.js';
export type { RequestPools } from './request-pools.js';
export { type RetryAdvice, retryAdvice } from './retry-advice.js';
export { type ClosableServer, ServerTraffic } from './server-traffic.js';
export type {
  GivenPoolOptions,
  MountOptions,
  OwnPoolOptions,
  RequestOptions,
  Startup,
  WebPoolOptions,
} from './web-options.js';
