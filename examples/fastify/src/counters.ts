import type { FastifyInstance } from 'fastify';

interface CounterParams {
  readonly name: string;
}

const params = {
  type: 'object',
  properties: { name: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' } },
};

/** Counters, each one a number at `counter:<name>`; one that was never counted up is 0. */
export async function counterRoutes(app: FastifyInstance): Promise<void> {
  app.post<{ Params: CounterParams }>('/counter/:name', { schema: { params } }, async (request) => {
    return { value: await request.redis.incr(`counter:${request.params.name}`) };
  });

  app.get<{ Params: CounterParams }>('/counter/:name', { schema: { params } }, async (request) => {
    const value = await request.redis.get(`counter:${request.params.name}`);
    return { value: Number(value ?? 0) };
  });
}
