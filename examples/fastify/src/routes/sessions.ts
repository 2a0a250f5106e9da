import type { FastifyInstance } from 'fastify';
import { beginSession, endSession, findSession, SESSION_COOKIE } from '../redis/sessions.js';
import type { Settings } from '../settings.js';

const body = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: { type: 'string', minLength: 1, maxLength: 100 } },
};

/** A session begins without a password here: put your own check in front of it. */
export async function sessionRoutes(
  app: FastifyInstance,
  { ttlSeconds, secureCookie }: Settings['session'],
): Promise<void> {
  const cookie = { httpOnly: true, sameSite: 'lax', secure: secureCookie, path: '/' } as const;

  app.post<{ Body: { name: string } }>('/session', { schema: { body } }, async (request, reply) => {
    const session = { name: request.body.name, since: new Date().toISOString() };
    const replaces = request.cookies[SESSION_COOKIE];
    const id = await beginSession(request.redis, session, { ttlSeconds, replaces });
    reply.setCookie(SESSION_COOKIE, id, { ...cookie, maxAge: ttlSeconds });
    return reply.code(201).send(session);
  });

  app.get('/session', async (request, reply) => {
    const id = request.cookies[SESSION_COOKIE];
    const session = await findSession(request.redis, id, ttlSeconds);
    if (id === undefined || session === undefined) return reply.code(401).send({ error: 'No session' });
    reply.setCookie(SESSION_COOKIE, id, { ...cookie, maxAge: ttlSeconds });
    return session;
  });

  app.delete('/session', async (request, reply) => {
    await endSession(request.redis, request.cookies[SESSION_COOKIE]);
    reply.clearCookie(SESSION_COOKIE, cookie);
    return reply.code(204).send();
  });
}
