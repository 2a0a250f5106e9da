import type { RedisPool } from '@redis-pool/core';
import { Router } from 'express';

/** What the pool counts; no address and no password is in it. */
export function stateRoutes(pool: RedisPool): Router {
  return Router().get('/state', (_request, response) => {
    response.json(pool.stats());
  });
}
