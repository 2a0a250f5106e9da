import { STATUS_CODES } from 'node:http';
import type { RequestHandler } from 'express';
import { takeRequest } from '../redis/rate-window.js';
import type { RateLimit } from '../settings.js';

/** Limits the requests of each client to the routes behind it. */
export function limitRate(limit: RateLimit): RequestHandler {
  return async (request, response, next) => {
    const client = { address: request.ip ?? '', apiKey: request.get('x-api-key') };
    const { isAllowed, headers } = await takeRequest(request.redis, limit, client);
    response.set(headers);
    if (isAllowed) next();
    else response.status(429).json({ error: STATUS_CODES[429] });
  };
}
