import type { FastifyInstance } from 'fastify';
import { findUser, putUser, type User } from '../redis/users.js';
import { nameParams } from './params.js';

interface UserParams {
  readonly id: string;
}

const params = nameParams('id');

const body = {
  type: 'object',
  required: ['name', 'email'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    email: { type: 'string', format: 'email', maxLength: 200 },
  },
};

export async function userRoutes(app: FastifyInstance): Promise<void> {
  app.get<{ Params: UserParams }>('/user/:id', { schema: { params } }, async (request, reply) => {
    const user = await findUser(request.redis, request.params.id);
    return user ?? reply.code(404).send({ error: 'No such user' });
  });

  app.put<{ Params: UserParams; Body: User }>(
    '/user/:id',
    { schema: { params, body } },
    async (request, reply) => {
      await putUser(request.redis, request.params.id, request.body);
      return reply.code(204).send();
    },
  );
}
