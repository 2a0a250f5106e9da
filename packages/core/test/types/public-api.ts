// Compiled, never run: what the types of the published package say. Each @ts-expect-error fails the build when
// the line below it compiles.
import {
  createRedisPool,
  type PipelineResult,
  type RedisLease,
  type RedisPipeline,
  type RedisPool,
  type RedisPoolErrorCode,
  type RequestRedis,
} from '@redis-pool/core';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const check = <T extends true>(): T | undefined => undefined;

declare const pool: RedisPool;
declare const scope: RequestRedis;
declare const lease: RedisLease;

export async function commandsHaveTheTypesOfIoredis(): Promise<void> {
  const value = await pool.get('key');
  check<Equal<typeof value, string | null>>();
  const bytes = await scope.getBuffer('key');
  check<Equal<typeof bytes, Buffer | null>>();
  const hash = await pool.hgetall('key');
  check<Equal<typeof hash, Record<string, string>>>();
  pool.get('key', (error, reply) => check<Equal<typeof reply, string | null | undefined>>() ?? error);
  await pool.set('key', 'value', 'EX', 10);
  await pool.call('FT.SEARCH', 'index', '*');
  // @ts-expect-error SET takes no object
  await pool.set('key', { an: 'object' });
}

export async function blockingCommandsExistEverywhere(): Promise<void> {
  const popped = await pool.blpop('key', 0);
  check<Equal<typeof popped, [string, string] | null>>();
  await scope.xread('BLOCK', 0, 'STREAMS', 'stream', '$');
}

export function statefulCommandsDoNotExistOnSharedObjects(): void {
  // @ts-expect-error only inside a lease
  pool.select(1);
  // @ts-expect-error only inside a lease
  scope.watch('key');
  // @ts-expect-error only inside a lease
  pool.wait(1, 100);
  // @ts-expect-error only inside a lease
  pool.auth('password');
  // @ts-expect-error nowhere
  pool.monitor();
  // @ts-expect-error pool.close()
  pool.quit();
  // @ts-expect-error only inside a lease
  pool.pipeline().watch('key');
}

export async function leasesHaveThem(): Promise<void> {
  await lease.select(1);
  await lease.watch('key');
  await lease.wait(1, 100);
  // @ts-expect-error takes the socket over
  lease.monitor();
}

export async function chainsStayChains(): Promise<void> {
  const chain = pool.pipeline().set('key', 'value').get('key').hgetall('hash');
  check<Equal<typeof chain, RedisPipeline>>();
  const results = await chain.exec();
  check<Equal<typeof results, PipelineResult[] | null>>();
  const replies = await pool.multi().incr('key').execOrThrow();
  check<Equal<typeof replies, unknown[]>>();
}

export async function functionsKeepTheirTypes(): Promise<void> {
  const result = await pool.lease(async (own) => own.get('key'));
  check<Equal<typeof result, string | null>>();
  await pool.transaction(['key'], async (read, queue) => {
    const current = await read.get('key');
    queue.set('key', `${current}`);
  });
  await using held = await pool.acquire();
  check<Equal<typeof held, RedisLease>>();
}

export async function subscriptionsAreTyped(): Promise<void> {
  const texts = await pool.subscribe('news');
  for await (const { message } of texts) check<Equal<typeof message, string>>();
  const bytes = await scope.psubscribe('n*', undefined, { encoding: 'buffer' });
  for await (const { message } of bytes) check<Equal<typeof message, Buffer>>();
}

export function optionsAreChecked(): void {
  createRedisPool('redis://127.0.0.1:6379');
  createRedisPool({ url: 'redis://127.0.0.1:6379', lanes: 1, maxConnections: 20 });
  // @ts-expect-error no such option
  createRedisPool({ maxConnection: 20 });
  // @ts-expect-error the pool decides that
  createRedisPool({ redis: { retryStrategy: () => 100 } });
  const code: RedisPoolErrorCode = 'RP_ERR_COMMAND_TIMEOUT';
  // @ts-expect-error no such code
  const unknown: RedisPoolErrorCode = 'RP_ERR_NOTHING';
  void [code, unknown];
}

declare module 'ioredis' {
  // As ioredis documents it for commands made with defineCommand().
  interface RedisCommander<Context> {
    addBoth(a: string, b: string): import('ioredis').Result<number, Context>;
  }
}

export async function ownCommandsCanBeDeclared(): Promise<void> {
  const sum = await pool.addBoth('1', '2');
  check<Equal<typeof sum, number>>();
  const chain = pool.pipeline().addBoth('1', '2');
  check<Equal<typeof chain, RedisPipeline>>();
}
