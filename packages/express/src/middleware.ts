import { MountedPools, openPool, startPool } from '@redis-pool/core/adapter';
import type { RequestHandler } from 'express';
import { ServerClosing } from './closing.js';
import { answerTryLater } from './error-handler.js';
import { ADAPTER, mountOn } from './request-mounts.js';
import type { RedisMiddleware, RedisPoolMiddlewareOptions } from './types.js';

/**
 * The Express middleware: `req.redis` over the one pool of that name in this process.
 *
 * It may be mounted several times, in applications and in routers. Middlewares with different namespaces go together
 * in any order.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, `RP_ERR_POOL_CONFLICT`; both synchronously
 * @example
 * ```ts
 * const redis = redisPool({ url: 'redis://127.0.0.1:6379' });
 * app.use(redis);
 * app.get('/greeting', async (req, res) => res.send(await req.redis.get('greeting')));
 * app.use(redis.errorHandler);
 * await redis.ready();
 * redis.closeWith(app.listen(3000));
 * ```
 */
export function redisPool(options: RedisPoolMiddlewareOptions = {}): RedisMiddleware {
  const mounted = new MountedPools();
  mounted.checkFree(options.namespace, ADAPTER);
  const source = openPool(options, undefined);
  mounted.add(source);
  const mount = { source, mounted };
  const handler: RequestHandler = (request, response, next) => {
    mountOn(request, response, mount);
    next();
  };
  return Object.assign(handler, {
    pool: source.pool,
    ready: () => startPool(source, options),
    close: ({ timeoutMs } = {}) => mounted.close(timeoutMs),
    closeWith: (server, given) => new ServerClosing({ pool: source.pool, mounted }, server, given),
    errorHandler: answerTryLater,
  } satisfies Pick<RedisMiddleware, 'pool' | 'ready' | 'close' | 'closeWith' | 'errorHandler'>);
}
