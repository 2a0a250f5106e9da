import { Router } from 'express';
import { z } from 'zod';
import { nameSchema, valid } from '../http/validation.js';
import { addJob, findJob } from '../redis/jobs.js';

const params = z.object({ id: nameSchema });
const order = z.object({
  text: z.string().min(1).max(200),
  durationMs: z.int().min(0).max(10_000).default(0),
});

export function jobRoutes(): Router {
  const router = Router();

  router.post('/jobs', async (request, response) => {
    const job = await addJob(request.redis, valid(order, request.body));
    response.status(202).location(`/jobs/${job.id}`).json(job);
  });

  router.get('/jobs/:id', async (request, response) => {
    const job = await findJob(request.redis, valid(params, request.params).id);
    if (job === undefined) response.status(404).json({ error: 'No such job' });
    else response.json(job);
  });

  return router;
}
