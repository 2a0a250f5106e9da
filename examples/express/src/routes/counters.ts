import { Router } from 'express';
import { z } from 'zod';
import { nameSchema, valid } from '../http/validation.js';
import { countUp, readCounter } from '../redis/counters.js';

const params = z.object({ name: nameSchema });

export function counterRoutes(): Router {
  const router = Router();

  router.get('/counter/:name', async (request, response) => {
    const { name } = valid(params, request.params);
    response.json({ value: await readCounter(request.redis, name) });
  });

  router.post('/counter/:name', async (request, response) => {
    const { name } = valid(params, request.params);
    response.json({ value: await countUp(request.redis, name) });
  });

  return router;
}
