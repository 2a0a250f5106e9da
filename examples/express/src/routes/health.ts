import type { RedisPool } from '@redis-pool/core';
import { Router } from 'express';

/** `/live`: restart me when this fails. `/ready`: send me requests while this is 200. */
export function healthRoutes(pool: RedisPool): Router {
  const router = Router();

  // Knows nothing of Redis: an outage there is not mended by restarting this process.
  router.get('/live', (_request, response) => {
    response.json({ status: 'alive' });
  });

  // One PING for all who ask at once; opens nothing, and is answered in time also when Redis does not answer.
  router.get('/ready', async (_request, response) => {
    const { ok, status } = await pool.health();
    response.status(ok ? 200 : 503).json({ ready: ok, redis: status });
  });

  return router;
}
