import { type DynamicModule, Module } from '@nestjs/common';
import type { RedisPoolOptions } from '@redis-pool/core';
import { RedisPoolModule } from '@redis-pool/nestjs';
import { CountersModule } from './counters/counters.module.js';
import { FeedModule } from './feed/feed.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { scripts } from './redis/scripts.js';
import { SessionsModule } from './sessions/sessions.module.js';
import type { Settings } from './settings.js';
import { SettingsModule } from './settings.module.js';
import { StatusModule } from './status/status.module.js';
import { StockModule } from './stock/stock.module.js';
import { UsersModule } from './users/users.module.js';

@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: what a module of Nest looks like
export class AppModule {
  /** `redis`: more options of the pool. */
  static forRoot(settings: Settings, redis: RedisPoolOptions = {}): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(settings),
        // It boots also while Redis is away.
        RedisPoolModule.forRoot({ startup: 'optional', scripts, ...settings.redis, ...redis }),
        UsersModule,
        CountersModule,
        SessionsModule,
        JobsModule,
        FeedModule,
        StockModule,
        StatusModule,
      ],
    };
  }
}
