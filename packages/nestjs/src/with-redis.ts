import type { RequestRedis } from '@redis-pool/core';

/**
 * A request of the platform with its `redis`, for `@Req()`, guards and middleware.
 *
 * @example
 * ```ts
 * const { redis } = context.switchToHttp().getRequest<WithRedis<Request, 'cache'>>();
 * await redis.cache.get('key');
 * ```
 */
export type WithRedis<Request extends object = object, Namespaces extends string = never> = Request & {
  readonly redis: RequestRedis & Readonly<Record<Namespaces, RequestRedis>>;
};
