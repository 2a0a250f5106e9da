// Checked by the compiler only (tsconfig.check.json): each line that should not compile says so.
import type { RedisPool, RequestRedis } from '@redis-pool/core';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type RedisPoolPluginOptions, redisPool } from '../src/index.js';

declare const app: FastifyInstance;
declare const request: FastifyRequest;
declare const pool: RedisPool;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function holds<_Claim extends true>(): void {}

export async function decorations(): Promise<void> {
  const value = await request.redis.get('key');
  holds<Same<typeof value, string | null>>();
  const count = await app.redis.incr('key');
  holds<Same<typeof count, number>>();
  const main: RedisPool = app.redis;
  const scope: RequestRedis = request.redis;
  void [main, scope];

  // @ts-expect-error -- changes the shared connection
  request.redis.select(1);
  // @ts-expect-error -- takes the shared connection over
  request.redis.monitor();
  // @ts-expect-error -- is for the owner of the pool
  request.redis.defineCommand('answer', { lua: 'return 42' });
  // @ts-expect-error -- set by the plugin only
  request.redis = scope;
}

export async function namespaces(): Promise<void> {
  // Declared in register.test.ts, as an application does.
  const value = await request.redis.cache.get('key');
  holds<Same<typeof value, string | null>>();
  const named: RedisPool = app.redis.cache;
  // @ts-expect-error -- not declared
  void app.redis.unknown;
  void named;
}

export async function registration(): Promise<void> {
  await app.register(redisPool);
  await app.register(redisPool, { url: 'redis://127.0.0.1', startup: 'optional', namespace: 'cache' });
  await app.register(redisPool, { client: pool, closeClient: true });
  await app.register(redisPool, { url: undefined, client: undefined });
  await fastify({ http2: true }).register(redisPool, { startup: 'lazy' });
  // @ts-expect-error -- no such mode
  await app.register(redisPool, { startup: 'eager' });
  // @ts-expect-error -- no such option
  await app.register(redisPool, { hots: 'localhost' });
  // @ts-expect-error -- a pool of the plugin is always closed by it
  await app.register(redisPool, { closeClient: true });
  const options: RedisPoolPluginOptions = { url: 'redis://127.0.0.1' };
  await app.register(redisPool, options);
}
