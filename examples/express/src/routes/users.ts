import { Router } from 'express';
import { z } from 'zod';
import { nameSchema, valid } from '../http/validation.js';
import { findUser, putUser } from '../redis/users.js';

const params = z.object({ id: nameSchema });
const user = z.object({ name: z.string().min(1).max(100), email: z.email().max(200) });

export function userRoutes(): Router {
  const router = Router();

  router.get('/user/:id', async (request, response) => {
    const found = await findUser(request.redis, valid(params, request.params).id);
    if (found === undefined) response.status(404).json({ error: 'No such user' });
    else response.json(found);
  });

  router.put('/user/:id', async (request, response) => {
    const { id } = valid(params, request.params);
    await putUser(request.redis, id, valid(user, request.body));
    response.status(204).end();
  });

  return router;
}
