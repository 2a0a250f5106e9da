import type { FastifyInstance } from 'fastify';
import { putStock, readStock, reserve } from '../redis/stock.js';
import { nameParams } from './params.js';

interface StockParams {
  readonly sku: string;
}

interface Quantity {
  readonly quantity: number;
}

const params = nameParams('sku');

function quantityBody(minimum: number) {
  return {
    type: 'object',
    required: ['quantity'],
    additionalProperties: false,
    properties: { quantity: { type: 'integer', minimum, maximum: 1_000_000 } },
  };
}

export async function stockRoutes(app: FastifyInstance): Promise<void> {
  app.get<{ Params: StockParams }>('/stock/:sku', { schema: { params } }, async (request, reply) => {
    const left = await readStock(request.redis, request.params.sku);
    return left === undefined ? reply.code(404).send({ error: 'No such article' }) : { left };
  });

  app.put<{ Params: StockParams; Body: Quantity }>(
    '/stock/:sku',
    { schema: { params, body: quantityBody(0) } },
    async (request, reply) => {
      await putStock(request.redis, request.params.sku, request.body.quantity);
      return reply.code(204).send();
    },
  );

  app.post<{ Params: StockParams; Body: Quantity }>(
    '/stock/:sku/reserve',
    { schema: { params, body: quantityBody(1) } },
    async (request, reply) => {
      const outcome = await reserve(request.redis, request.params.sku, request.body.quantity);
      if (outcome.kind === 'unknown') return reply.code(404).send({ error: 'No such article' });
      if (outcome.kind === 'sold-out') return reply.code(409).send({ error: 'Sold out', left: outcome.left });
      return reply.code(201).send({ id: outcome.id, left: outcome.left });
    },
  );
}
