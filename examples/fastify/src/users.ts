import type { FastifyInstance } from 'fastify';

interface UserParams {
  readonly id: string;
}

interface User {
  readonly name: string;
  readonly email: string;
}

const params = {
  type: 'object',
  properties: { id: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' } },
};

const body = {
  type: 'object',
  required: ['name', 'email'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    email: { type: 'string', format: 'email', maxLength: 200 },
  },
};

/** Users, each one a hash `user:<id>`. */
export async function userRoutes(app: FastifyInstance): Promise<void> {
  app.get<{ Params: UserParams }>('/user/:id', { schema: { params } }, async (request, reply) => {
    const user = await request.redis.hgetall(`user:${request.params.id}`);
    if (Object.keys(user).length === 0) return reply.code(404).send({ error: 'No such user' });
    return user;
  });

  app.put<{ Params: UserParams; Body: User }>(
    '/user/:id',
    { schema: { params, body } },
    async (request, reply) => {
      await request.redis.hset(`user:${request.params.id}`, request.body);
      return reply.code(204).send();
    },
  );
}
