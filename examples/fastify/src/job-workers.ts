import type { FastifyInstance } from 'fastify';
import { countWords } from './redis/count-words.js';
import { JobWorker } from './redis/job-worker.js';
import type { JobSettings } from './settings.js';

/** Works on the job queue, from the start of the application until it closes. */
export function addJobWorkers(app: FastifyInstance, { workers: count, claimMs }: JobSettings): void {
  const workers = Array.from(
    { length: count },
    () => new JobWorker(app.redis, { claimMs }, countWords, app.log),
  );
  app.addHook('onReady', async () => {
    for (const worker of workers) void worker.run();
  });
  // They hand back what they have not finished; the pool waits for that when it closes.
  app.addHook('preClose', async () => {
    for (const worker of workers) worker.stop();
  });
}
