import type { RedisPool, RequestRedis } from '@redis-pool/core';
import type { WebPoolOptions } from '@redis-pool/core/adapter';
import type { FastifyRequest } from 'fastify';

/** Options of the plugin: those of a pool, how it is mounted, and how it serves requests. */
export type RedisPoolPluginOptions = WebPoolOptions<FastifyRequest>;

/**
 * The namespaces of the application, for the types of `fastify.redis` and `request.redis`. Empty until declared:
 *
 * @example
 * ```ts
 * declare module '@redis-pool/fastify' {
 *   interface RedisNamespaces {
 *     cache: RedisPool;
 *   }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it
export interface RedisNamespaces {}

/** What `fastify.redis` is: the pool without a namespace, and each pool with one under its name. */
export type FastifyRedis = RedisPool & { readonly [Name in keyof RedisNamespaces]: RedisPool };

/** What `request.redis` is: the request's scope of the same pools. */
export type FastifyRequestRedis = RequestRedis & { readonly [Name in keyof RedisNamespaces]: RequestRedis };

declare module 'fastify' {
  interface FastifyInstance {
    /** With namespaces only, no pool: then only `redis.<namespace>` is there. */
    redis: FastifyRedis;
  }

  interface FastifyRequest {
    /** The same commands, in the name of this request; made on first use. */
    readonly redis: FastifyRequestRedis;
  }
}
