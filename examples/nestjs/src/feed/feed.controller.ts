import { Body, Controller, Get, Header, HttpCode, Post, StreamableFile, UseGuards } from '@nestjs/common';
import { ReqRedis } from '@redis-pool/nestjs';
import { RateLimitGuard } from '../http/rate-limit.guard.js';
import { openFeed, publish } from '../redis/feed.js';
import type { Redis } from '../redis/scripts.js';
import type { Settings } from '../settings.js';
import { InjectSettings } from '../settings.module.js';
import { MessageDto } from './message.dto.js';

/** The live feed, as server-sent events. */
@Controller('feed')
export class FeedController {
  readonly #heartbeatMs: number;

  constructor(@InjectSettings() { feed }: Settings) {
    this.#heartbeatMs = feed.heartbeatMs;
  }

  // As a stream and not with @Sse(), which knows no comments and lets a slow client's events pile up.
  @Get()
  @Header('cache-control', 'no-store')
  @Header('x-accel-buffering', 'no')
  async open(@ReqRedis() redis: Redis): Promise<StreamableFile> {
    return new StreamableFile(await openFeed(redis, this.#heartbeatMs), { type: 'text/event-stream' });
  }

  @Post()
  @UseGuards(RateLimitGuard)
  @HttpCode(204)
  async publish(@ReqRedis() redis: Redis, @Body() { text }: MessageDto): Promise<void> {
    await publish(redis, 'message', text);
  }
}
