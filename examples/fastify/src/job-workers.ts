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
  let running: Promise<unknown> = Promise.resolve();
  app.addHook('onReady', async () => {
    running = Promise.all(workers.map((worker) => worker.run()));
  });
  app.addHook('preClose', async () => {
    for (const worker of workers) worker.stop();
  });
  // Before the pool closes, so that they can hand back what they have not finished.
  app.addHook('onClose', async () => {
    await running;
  });
}
