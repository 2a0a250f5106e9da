import { fileURLToPath } from 'node:url';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import files from '@fastify/static';
import type { RedisPoolOptions } from '@redis-pool/core';
import { redisPool } from '@redis-pool/fastify';
import fastify, { type FastifyInstance } from 'fastify';
import { answerErrors } from './http/errors.js';
import { limitRate } from './http/rate-limit.js';
import { secureHeaders } from './http/secure-headers.js';
import { addJobWorkers } from './job-workers.js';
import { scripts } from './redis/scripts.js';
import { counterRoutes } from './routes/counters.js';
import { feedRoutes, publishRoutes } from './routes/feed.js';
import { healthRoutes } from './routes/health.js';
import { jobRoutes } from './routes/jobs.js';
import { sessionRoutes } from './routes/sessions.js';
import { stateRoutes } from './routes/state.js';
import { stockRoutes } from './routes/stock.js';
import { userRoutes } from './routes/users.js';
import type { Settings } from './settings.js';

const BODY_LIMIT_BYTES = 16_384;
const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** The application, complete but for listening. `redis`: more options of the pool. */
export async function buildApp(settings: Settings, redis: RedisPoolOptions = {}): Promise<FastifyInstance> {
  const app = fastify({
    logger: settings.logs,
    bodyLimit: BODY_LIMIT_BYTES,
    trustProxy: settings.trustProxy ?? false,
    // While it closes, requests that still come over open connections are answered.
    return503OnClosing: false,
    // A number is no text, and all that is wrong is told at once; bodies are small.
    ajv: { customOptions: { coerceTypes: false, allErrors: true } },
  });
  app.removeContentTypeParser('text/plain');
  answerErrors(app);
  // It boots also while Redis is away.
  await app.register(redisPool, { startup: 'optional', scripts, ...settings.redis, ...redis });
  await app.register(cookie);
  await app.register(helmet, secureHeaders);
  await app.register(files, { root: PUBLIC });
  await app.register(healthRoutes);
  await app.register(stateRoutes);
  await app.register(feedRoutes, settings.feed);
  await app.register(async (limited) => {
    limitRate(limited, settings.rateLimit);
    await limited.register(userRoutes);
    await limited.register(counterRoutes);
    await limited.register(sessionRoutes, settings.session);
    await limited.register(jobRoutes);
    await limited.register(publishRoutes);
    await limited.register(stockRoutes);
  });
  addJobWorkers(app, settings.jobs);
  return app;
}
