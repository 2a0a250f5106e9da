import type { DrainReport, RedisPool, RequestRedis } from '@redis-pool/core';
import type { ClosableServer, WebPoolOptions } from '@redis-pool/core/adapter';
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import type { CloseWithOptions, Closing } from './closing.js';

/** Options of the middleware: those of a pool, how it is mounted, and how it serves requests. */
export type RedisPoolMiddlewareOptions = WebPoolOptions<Request>;

/**
 * The namespaces of the application, for the type of `req.redis`. Empty until declared:
 *
 * @example
 * ```ts
 * declare module '@redis-pool/express' {
 *   interface RedisNamespaces {
 *     cache: RedisPool;
 *   }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it
export interface RedisNamespaces {}

/** What `req.redis` is: the request's scope of the pool without a namespace, and of each with one under its name. */
export type ExpressRequestRedis = RequestRedis & { readonly [Name in keyof RedisNamespaces]: RequestRedis };

declare global {
  namespace Express {
    interface Request {
      /**
       * The commands of the pool, in the name of this request; made on first use. Only behind the middleware; with
       * namespaces only, just `redis.<namespace>` is there.
       */
      readonly redis: ExpressRequestRedis;
    }
  }
}

/** What `redisPool()` makes: a middleware, and the pool that it mounts. */
export interface RedisMiddleware extends RequestHandler {
  /** The application's handle, for work without a request, whatever its namespace. */
  readonly pool: RedisPool;

  /**
   * Starts the pool as the option `startup` says: `require` waits for a connection, `optional` only begins to
   * connect, `lazy` does nothing.
   *
   * @throws RedisPoolError what `pool.ready()` rejects with; the pool goes on connecting until `close()`
   */
  ready(): Promise<void>;

  /**
   * Ends what waits for something that may never come, waits for the requests that use this pool, then drains and
   * closes it: all within `timeoutMs`. Idempotent; never rejects.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` for a `timeoutMs` that is none, synchronously
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<DrainReport>;

  /** Ends a server and this pool in order when the process is told to end; see {@link Closing}. */
  closeWith(server: ClosableServer, options?: CloseWithOptions): Closing;

  /** Answers errors that mean "try later" with 503 and `Retry-After`; to be mounted after the routes. */
  readonly errorHandler: ErrorRequestHandler;
}
