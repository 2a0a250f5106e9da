import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { RedisPool } from '@redis-pool/core';
import { InjectRedis } from '@redis-pool/nestjs';
import { countWords } from '../redis/count-words.js';
import { JobWorker } from '../redis/job-worker.js';
import type { Settings } from '../settings.js';
import { InjectSettings } from '../settings.module.js';

/** Works on the job queue, from the start of the application until it closes. */
@Injectable()
export class JobWorkers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #workers: readonly JobWorker[];

  constructor(@InjectRedis() pool: RedisPool, @InjectSettings() { jobs }: Settings) {
    const logger = new Logger('JobWorker');
    const log = { error: ({ err }: { err?: unknown }, message: string) => logger.error(message, err) };
    this.#workers = Array.from({ length: jobs.workers }, () => new JobWorker(pool, jobs, countWords, log));
  }

  onApplicationBootstrap(): void {
    for (const worker of this.#workers) void worker.run();
  }

  /** They hand back what they have not finished; the pool waits for that when it closes. */
  beforeApplicationShutdown(): void {
    for (const worker of this.#workers) worker.stop();
  }
}
