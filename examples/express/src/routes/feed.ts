import { pipeline } from 'node:stream';
import { Router } from 'express';
import { z } from 'zod';
import { valid } from '../http/validation.js';
import { openFeed, publish } from '../redis/feed.js';
import type { Settings } from '../settings.js';

const message = z.object({ text: z.string().min(1).max(500) });

/** The live feed, as server-sent events. */
export function feedRoutes({ heartbeatMs }: Settings['feed']): Router {
  return Router().get('/feed', async (request, response) => {
    const events = await openFeed(request.redis, heartbeatMs);
    response.set('content-type', 'text/event-stream');
    // Proxies are not to collect or keep it.
    response.set({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    // A client that leaves is no error.
    pipeline(events, response, () => {});
  });
}

export function publishRoutes(): Router {
  return Router().post('/feed', async (request, response) => {
    await publish(request.redis, 'message', valid(message, request.body).text);
    response.status(204).end();
  });
}
