import type { FastifyInstance } from 'fastify';

/** What the pool counts; no address and no password is in it. */
export async function stateRoutes(app: FastifyInstance): Promise<void> {
  app.get('/state', async () => app.redis.stats());
}
