// Checked by the compiler only (tsconfig.check.json): each line that should not compile says so.
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { DrainReport, RedisPool, RequestRedis } from '@redis-pool/core';
import express, { type ErrorRequestHandler, type Request, Router } from 'express';
import {
  type Closing,
  type ClosingReport,
  type RedisMiddleware,
  type RedisPoolMiddlewareOptions,
  redisPool,
} from '../src/index.js';

declare const req: Request;
declare const pool: RedisPool;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<_Claim extends true>(): void {}

export async function requests(): Promise<void> {
  const value = await req.redis.get('key');
  holds<Same<typeof value, string | null>>();
  const scope: RequestRedis = req.redis;

  // @ts-expect-error -- changes the shared connection
  req.redis.select(1);
  // @ts-expect-error -- takes the shared connection over
  req.redis.monitor();
  // @ts-expect-error -- is for the owner of the pool
  req.redis.defineCommand('answer', { lua: 'return 42' });
  // @ts-expect-error -- set by the middleware only
  req.redis = scope;
}

export async function namespaces(): Promise<void> {
  // Declared in mounting.test.ts, as an application does.
  const value = await req.redis.cache.get('key');
  holds<Same<typeof value, string | null>>();
  // @ts-expect-error -- not declared
  void req.redis.unknown;
}

export function mounting(): void {
  const redis: RedisMiddleware = redisPool();
  const app = express();
  app.use(redis);
  app.use('/path', redis, redis.errorHandler);
  app.get('/', redis, async (request, response) => void response.json(await request.redis.incr('key')));
  Router().use(redis);
  const handler: ErrorRequestHandler = redis.errorHandler;
  const main: RedisPool = redis.pool;
  void [handler, main];
  // @ts-expect-error -- the middleware has made it
  redis.pool = pool;
}

export function options(): void {
  redisPool({ url: 'redis://127.0.0.1', startup: 'optional', namespace: 'cache', onHangUp: 'abort' });
  redisPool({ client: pool, closeClient: true });
  redisPool({ url: undefined, client: undefined });
  redisPool({ requestSignal: (request) => (request.get('x-deadline') ? AbortSignal.timeout(1) : undefined) });
  // @ts-expect-error -- no such mode
  redisPool({ startup: 'eager' });
  // @ts-expect-error -- no such option
  redisPool({ hots: 'localhost' });
  // @ts-expect-error -- a pool of the middleware is always closed by it
  redisPool({ closeClient: true });
  // @ts-expect-error -- a handle has its options already
  redisPool({ client: pool, url: 'redis://127.0.0.1' });
  const given: RedisPoolMiddlewareOptions = { url: 'redis://127.0.0.1' };
  redisPool(given);
}

export async function closing(): Promise<void> {
  const redis = redisPool();
  const report: DrainReport = await redis.close({ timeoutMs: 100 });
  const ending: Closing = redis.closeWith(express().listen(), { signals: ['SIGUSR2'], timeoutMs: 1_000 });
  for (const server of [createServer(), createHttpsServer(), createSecureServer()]) redis.closeWith(server);
  const closed: ClosingReport = await ending.closed;
  holds<Same<typeof closed.cutRequests, number>>();
  ending[Symbol.dispose]();
  // @ts-expect-error -- no such signal
  redis.closeWith(createServer(), { signals: ['SIGNAL'] });
  // @ts-expect-error -- an application is no server
  redis.closeWith(express());
  void report;
}
