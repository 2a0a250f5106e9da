import type { RedisPool } from '@redis-pool/core';
import type { Logger } from 'pino';
import { countWords } from './redis/count-words.js';
import { JobWorker } from './redis/job-worker.js';
import type { JobSettings } from './settings.js';

/** What works on the job queue. */
export class JobWorkers {
  readonly #workers: readonly JobWorker[];
  readonly #running: Promise<unknown>;

  constructor(pool: RedisPool, jobs: JobSettings, log: Logger) {
    this.#workers = Array.from({ length: jobs.workers }, () => new JobWorker(pool, jobs, countWords, log));
    this.#running = Promise.all(this.#workers.map((worker) => worker.run()));
  }

  /** Hands back what is not finished; resolves when nothing runs any more. */
  async stop(): Promise<void> {
    for (const worker of this.#workers) worker.stop();
    await this.#running;
  }
}
