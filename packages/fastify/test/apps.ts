import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { afterEach } from 'vitest';

/** Makes applications that are closed after the test, also when it failed. Call it after `useLeakCheck()`. */
export function useApps(): (options?: FastifyServerOptions) => FastifyInstance {
  let apps: FastifyInstance[] = [];
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    apps = [];
  });
  return (options = {}) => {
    const app: FastifyInstance = fastify(options);
    apps.push(app);
    return app;
  };
}
