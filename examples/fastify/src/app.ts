import { type RedisPoolPluginOptions, redisPool } from '@redis-pool/fastify';
import fastify, { type FastifyInstance } from 'fastify';
import { counterRoutes } from './counters.js';
import { healthRoutes } from './health.js';
import { userRoutes } from './users.js';

/** What differs between production, tests and whoever else starts the application. */
export interface AppOptions {
  /** @default the server of REDIS_URL; the application boots also while that is away */
  readonly redis?: RedisPoolPluginOptions;
  /** @default false */
  readonly logger?: boolean;
}

/** The application, complete but for listening. */
export async function buildApp({ redis = {}, logger = false }: AppOptions = {}): Promise<FastifyInstance> {
  const app = fastify({ logger });
  await app.register(redisPool, { startup: 'optional', ...redis });
  await app.register(healthRoutes);
  await app.register(userRoutes);
  await app.register(counterRoutes);
  return app;
}
