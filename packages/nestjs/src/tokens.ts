import { createParamDecorator, type ExecutionContext, Inject, type InjectionToken } from '@nestjs/common';
import { RedisPool } from '@redis-pool/core';
import { invalidOption } from '@redis-pool/core/adapter';

/**
 * What a pool is injected by. That of the pool without a namespace is the class `RedisPool`, so that
 * `constructor(private readonly redis: RedisPool)` needs no decorator.
 */
export function getRedisToken(namespace?: string): InjectionToken<RedisPool> {
  return namespace === undefined ? RedisPool : `RedisPool:${namespace}`;
}

/**
 * Injects a pool.
 *
 * @example
 * ```ts
 * constructor(@InjectRedis() private readonly redis: RedisPool) {}
 * ```
 */
export function InjectRedis(namespace?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getRedisToken(namespace));
}

/**
 * Gives a handler the `redis` of its request, or one of its namespaces. It has the type `RequestRedis`.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION` where there is no such thing, such as in a handler of messages
 * @example
 * ```ts
 * \@Get('greeting')
 * greeting(@ReqRedis() redis: RequestRedis) {
 *   return redis.get('greeting');
 * }
 * ```
 */
export const ReqRedis: (namespace?: string) => ParameterDecorator = createParamDecorator(
  (namespace: string | undefined, context: ExecutionContext): object => {
    const redis = requestOf(context)?.redis;
    const found = namespace === undefined ? redis : redis?.[namespace];
    if (found !== undefined) return found;
    const what = namespace === undefined ? 'redis' : `redis.${namespace}`;
    throw invalidOption(
      `@ReqRedis() found no "${what}" in a ${context.getType()} context: inject the pool instead, or mount one`,
    );
  },
);

interface RequestLike {
  readonly redis?: object & { readonly [namespace: string]: object };
}

// A resolver of GraphQL has the request in its context.
function requestOf(context: ExecutionContext): RequestLike | undefined {
  const type: string = context.getType();
  if (type === 'http') return context.switchToHttp().getRequest<RequestLike>();
  if (type !== 'graphql') return undefined;
  return context.getArgByIndex<{ readonly req?: RequestLike } | undefined>(2)?.req;
}
