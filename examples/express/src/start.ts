import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buildApp } from './app.js';
import { JobWorkers } from './job-workers.js';
import type { Settings } from './settings.js';

export interface RunningApp {
  readonly url: string;
  /** Stops listening, lets requests finish, then closes Redis; all within `closeTimeoutMs`. */
  close(): Promise<void>;
}

/** Starts the application with all that belongs to it. */
export async function start(settings: Settings): Promise<RunningApp> {
  const { app, redis, log } = buildApp(settings);
  await redis.ready();
  const server = app.listen(settings.port, settings.host);
  // Not by signals of its own: the workers have to stop with it.
  const closing = redis.closeWith(server, { signals: [] });
  await once(server, 'listening');
  const workers = new JobWorkers(redis.pool, settings.jobs, log);
  const url = `http://${settings.host}:${(server.address() as AddressInfo).port}`;
  log.info(`Server listening at ${url}`);
  return {
    url,
    async close() {
      workers.stop();
      await closing.close();
    },
  };
}
