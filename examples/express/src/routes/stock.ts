import { Router } from 'express';
import { z } from 'zod';
import { nameSchema, valid } from '../http/validation.js';
import { putStock, readStock, reserve } from '../redis/stock.js';

const MOST = 1_000_000;

const params = z.object({ sku: nameSchema });
const stock = z.object({ quantity: z.int().min(0).max(MOST) });
const reservation = z.object({ quantity: z.int().min(1).max(MOST) });

export function stockRoutes(): Router {
  const router = Router();

  router.get('/stock/:sku', async (request, response) => {
    const left = await readStock(request.redis, valid(params, request.params).sku);
    if (left === undefined) response.status(404).json({ error: 'No such article' });
    else response.json({ left });
  });

  router.put('/stock/:sku', async (request, response) => {
    const { sku } = valid(params, request.params);
    await putStock(request.redis, sku, valid(stock, request.body).quantity);
    response.status(204).end();
  });

  router.post('/stock/:sku/reserve', async (request, response) => {
    const { sku } = valid(params, request.params);
    const { quantity } = valid(reservation, request.body);
    const outcome = await reserve(request.redis, sku, quantity);
    if (outcome.kind === 'reserved') response.status(201).json({ id: outcome.id, left: outcome.left });
    else if (outcome.kind === 'sold-out')
      response.status(409).json({ error: 'Sold out', left: outcome.left });
    else response.status(404).json({ error: 'No such article' });
  });

  return router;
}
