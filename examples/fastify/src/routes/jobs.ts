import type { FastifyInstance } from 'fastify';
import { addJob, findJob, type JobOrder } from '../redis/jobs.js';
import { nameParams } from './params.js';

const params = nameParams('id');

const body = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: {
    text: { type: 'string', minLength: 1, maxLength: 200 },
    durationMs: { type: 'integer', minimum: 0, maximum: 10_000, default: 0 },
  },
};

export async function jobRoutes(app: FastifyInstance): Promise<void> {
  app.post<{ Body: JobOrder }>('/jobs', { schema: { body } }, async (request, reply) => {
    const job = await addJob(request.redis, request.body);
    return reply.code(202).header('location', `/jobs/${job.id}`).send(job);
  });

  app.get<{ Params: { id: string } }>('/jobs/:id', { schema: { params } }, async (request, reply) => {
    const job = await findJob(request.redis, request.params.id);
    return job ?? reply.code(404).send({ error: 'No such job' });
  });
}
