import type { FastifyInstance } from 'fastify';
import { countUp, readCounter } from '../redis/counters.js';
import { nameParams } from './params.js';

interface CounterParams {
  readonly name: string;
}

const schema = { params: nameParams('name') };

export async function counterRoutes(app: FastifyInstance): Promise<void> {
  app.get<{ Params: CounterParams }>('/counter/:name', { schema }, async (request) => {
    return { value: await readCounter(request.redis, request.params.name) };
  });

  app.post<{ Params: CounterParams }>('/counter/:name', { schema }, async (request) => {
    return { value: await countUp(request.redis, request.params.name) };
  });
}
