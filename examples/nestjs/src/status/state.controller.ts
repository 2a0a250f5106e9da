import { Controller, Get } from '@nestjs/common';
import type { PoolStats, RedisPool } from '@redis-pool/core';
import { InjectRedis } from '@redis-pool/nestjs';

/** What the pool counts; no address and no password is in it. */
@Controller('state')
export class StateController {
  readonly #redis: RedisPool;

  constructor(@InjectRedis() redis: RedisPool) {
    this.#redis = redis;
  }

  @Get()
  read(): PoolStats {
    return this.#redis.stats();
  }
}
