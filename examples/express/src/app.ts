import { fileURLToPath } from 'node:url';
import type { RedisPoolOptions } from '@redis-pool/core';
import { type RedisMiddleware, redisPool } from '@redis-pool/express';
import cookieParser from 'cookie-parser';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { type Logger, pino } from 'pino';
import { answerErrors, answerNotFound } from './http/errors.js';
import { jsonBody } from './http/json-body.js';
import { limitRate } from './http/rate-limit.js';
import { secureHeaders } from './http/secure-headers.js';
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

export interface Application {
  readonly app: Express;
  readonly redis: RedisMiddleware;
  readonly log: Logger;
}

const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** The application, complete but for listening. `more`: more options of the pool. */
export function buildApp(settings: Settings, more: RedisPoolOptions = {}): Application {
  const log = pino({ enabled: settings.logs });
  // It boots also while Redis is away.
  const redis = redisPool({ startup: 'optional', scripts, logger: log, ...settings.redis, ...more });
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', settings.trustProxy ?? false);
  app.use(helmet(secureHeaders), redis);
  app.use(express.static(PUBLIC));
  app.use(healthRoutes(redis.pool), stateRoutes(redis.pool), feedRoutes(settings.feed));
  app.use(...jsonBody, cookieParser());
  app.use(limitedRoutes(settings));
  app.use(answerNotFound, answerErrors(log));
  return { app, redis, log };
}

function limitedRoutes({ rateLimit, session }: Settings) {
  const limit = limitRate(rateLimit);
  return express
    .Router()
    .use(['/user', '/counter', '/session', '/jobs', '/feed', '/stock'], limit)
    .use(userRoutes(), counterRoutes(), sessionRoutes(session), jobRoutes(), publishRoutes(), stockRoutes());
}
