import { Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import { NamePipe } from '../http/validation.js';
import { countUp, readCounter } from '../redis/counters.js';
import type { Redis } from '../redis/scripts.js';

interface Counter {
  readonly value: number;
}

@Controller('counter')
@UseGuards(RateLimitGuard)
export class CountersController {
  @Get(':name')
  async read(@ReqRedis() redis: Redis, @Param('name', NamePipe) name: string): Promise<Counter> {
    return { value: await readCounter(redis, name) };
  }

  @Post(':name')
  @HttpCode(200)
  async countUp(@ReqRedis() redis: Redis, @Param('name', NamePipe) name: string): Promise<Counter> {
    return { value: await countUp(redis, name) };
  }
}
