import type { FastifyInstance } from 'fastify';
import { openFeed, publish } from '../redis/feed.js';
import type { Settings } from '../settings.js';

const body = {
  type: 'object',
  required: ['text'],
  additionalProperties: false,
  properties: { text: { type: 'string', minLength: 1, maxLength: 500 } },
};

/** The live feed, as server-sent events. */
export async function feedRoutes(app: FastifyInstance, { heartbeatMs }: Settings['feed']): Promise<void> {
  app.get('/feed', async (request, reply) => {
    const events = await openFeed(request.redis, heartbeatMs);
    // Proxies are not to collect or keep it.
    reply.type('text/event-stream').header('cache-control', 'no-store').header('x-accel-buffering', 'no');
    return reply.send(events);
  });
}

export async function publishRoutes(app: FastifyInstance): Promise<void> {
  app.post<{ Body: { text: string } }>('/feed', { schema: { body } }, async (request, reply) => {
    await publish(request.redis, 'message', request.body.text);
    return reply.code(204).send();
  });
}
