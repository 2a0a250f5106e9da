import type { RedisPool } from '@redis-pool/core';
import type { Logger } from 'pino';
import { countWords } from './redis/count-words.js';
import { JobWorker } from './redis/job-worker.js';
import type { JobSettings } from './settings.js';

/** What works on the job queue. */
export class JobWorkers {
  readonly #workers: readonly JobWorker[];

  constructor(pool: RedisPool, jobs: JobSettings, log: Logger) {
    this.#workers = Array.from({ length: jobs.workers }, () => new JobWorker(pool, jobs, countWords, log));
    for (const worker of this.#workers) void worker.run();
  }

  /** They hand back what they have not finished; the pool waits for that when it closes. */
  stop(): void {
    for (const worker of this.#workers) worker.stop();
  }
}
