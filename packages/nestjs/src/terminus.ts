/**
 * A health indicator for `@nestjs/terminus`, which only an application that imports this needs.
 *
 * @module @redis-pool/nestjs/terminus
 */
import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { type HealthOptions, isRedisPoolError, type RedisPool } from '@redis-pool/core';
import { getRedisToken } from './tokens.js';

/** Which pool to ask, and how long. */
export interface RedisPoolHealthOptions extends HealthOptions {
  /** @default none: the pool without one */
  readonly namespace?: string | undefined;
}

/**
 * Tells Terminus whether Redis answers. It opens no connection and has an answer within `timeoutMs`, so that a probe
 * costs one PING, or nothing.
 *
 * @example
 * ```ts
 * \@Get('health')
 * \@HealthCheck()
 * check() {
 *   return this.health.check([() => this.redis.isHealthy('redis')]);
 * }
 * ```
 */
@Injectable()
export class RedisPoolHealthIndicator {
  readonly #indicators: HealthIndicatorService;
  readonly #modules: ModuleRef;

  constructor(
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    this.#indicators = indicators;
    this.#modules = modules;
  }

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION` for a `timeoutMs` that is none; Nest's error for no such pool */
  async isHealthy<const Key extends string>(
    key: Key,
    { namespace, timeoutMs }: RedisPoolHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const pool = this.#modules.get<RedisPool>(getRedisToken(namespace), { strict: false });
    const { ok, status, pingMs, error } = await pool.health({ timeoutMs });
    const indicator = this.#indicators.check(key);
    return ok
      ? indicator.up({ pool: status, pingMs })
      : indicator.down({ pool: status, message: describe(error) });
  }
}

// Who asks may be anybody: no address of a server. The pool logs it.
function describe(error: unknown): string {
  return isRedisPoolError(error) ? error.code : 'Redis answered with an error';
}
