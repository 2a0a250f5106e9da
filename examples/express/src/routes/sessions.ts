import { type CookieOptions, type Response, Router } from 'express';
import { z } from 'zod';
import { valid } from '../http/validation.js';
import { beginSession, endSession, findSession, SESSION_COOKIE } from '../redis/sessions.js';
import type { Settings } from '../settings.js';

const login = z.object({ name: z.string().min(1).max(100) });

/** A session begins without a password here: put your own check in front of it. */
export function sessionRoutes({ ttlSeconds, secureCookie }: Settings['session']): Router {
  const router = Router();
  const cookie: CookieOptions = { httpOnly: true, sameSite: 'lax', secure: secureCookie, path: '/' };
  const setCookie = (response: Response, id: string): void => {
    response.cookie(SESSION_COOKIE, id, { ...cookie, maxAge: ttlSeconds * 1_000 });
  };

  router.post('/session', async (request, response) => {
    const session = { name: valid(login, request.body).name, since: new Date().toISOString() };
    const replaces: unknown = request.cookies[SESSION_COOKIE];
    setCookie(response, await beginSession(request.redis, session, { ttlSeconds, replaces }));
    response.status(201).json(session);
  });

  router.get('/session', async (request, response) => {
    const id: unknown = request.cookies[SESSION_COOKIE];
    const session = await findSession(request.redis, id, ttlSeconds);
    if (session === undefined) {
      response.status(401).json({ error: 'No session' });
      return;
    }
    setCookie(response, String(id));
    response.json(session);
  });

  router.delete('/session', async (request, response) => {
    await endSession(request.redis, request.cookies[SESSION_COOKIE]);
    response.clearCookie(SESSION_COOKIE, cookie).status(204).end();
  });

  return router;
}
