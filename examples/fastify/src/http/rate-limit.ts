import { STATUS_CODES } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { takeRequest } from '../redis/rate-window.js';
import type { RateLimit } from '../settings.js';

/** Limits the requests of each client to the routes of this instance and those inside it. */
export function limitRate(app: FastifyInstance, limit: RateLimit): void {
  app.addHook('onRequest', async (request, reply) => {
    const { 'x-api-key': apiKey } = request.headers;
    const client = { address: request.ip, apiKey: typeof apiKey === 'string' ? apiKey : undefined };
    const { isAllowed, headers } = await takeRequest(request.redis, limit, client);
    reply.headers(headers);
    if (!isAllowed) return reply.code(429).send({ error: STATUS_CODES[429] });
  });
}
