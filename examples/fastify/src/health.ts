import type { FastifyInstance } from 'fastify';

/** `/live`: restart me when this fails. `/ready`: send me requests while this is 200. */
export async function healthRoutes(app: FastifyInstance): Promise<void> {
  // Knows nothing of Redis: an outage there is not mended by restarting this process.
  app.get('/live', async () => ({ status: 'alive' }));

  // What the pool knows anyway: no command, no connection, no waiting.
  app.get('/ready', async (_request, reply) => {
    const { status } = app.redis;
    return reply.code(status === 'ready' ? 200 : 503).send({ redis: status });
  });
}
