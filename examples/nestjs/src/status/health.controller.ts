import { Controller, Get, Res } from '@nestjs/common';
import type { RedisPool } from '@redis-pool/core';
import { InjectRedis } from '@redis-pool/nestjs';
import type { Response } from 'express';

/** `/live`: restart me when this fails. `/ready`: send me requests while this is 200. */
@Controller()
export class HealthController {
  readonly #redis: RedisPool;

  constructor(@InjectRedis() redis: RedisPool) {
    this.#redis = redis;
  }

  // Knows nothing of Redis: an outage there is not mended by restarting this process.
  @Get('live')
  live() {
    return { status: 'alive' };
  }

  // One PING for all who ask at once; opens nothing, and is answered in time also when Redis does not answer.
  @Get('ready')
  async ready(@Res({ passthrough: true }) response: Response) {
    const { ok, status } = await this.#redis.health();
    response.status(ok ? 200 : 503);
    return { ready: ok, redis: status };
  }
}
