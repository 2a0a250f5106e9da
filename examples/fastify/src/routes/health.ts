import type { FastifyInstance } from 'fastify';

/** `/live`: restart me when this fails. `/ready`: send me requests while this is 200. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  // Knows nothing of Redis: an outage there is not mended by restarting this process.
  app.get('/live', async () => ({ status: 'alive' }));

  // One PING for all who ask at once; opens nothing, and is answered in time also when Redis does not answer.
  app.get('/ready', async (_request, reply) => {
    const { ok, status } = await app.redis.health();
    return reply.code(ok ? 200 : 503).send({ ready: ok, redis: status });
  });
}
