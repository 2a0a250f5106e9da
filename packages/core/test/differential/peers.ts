import { type ChainableCommander, Redis, type RedisOptions } from 'ioredis';
import { createRedisPool, type RedisPool } from '../../src/index.js';
import type { RedisConnectionOptions, RedisPoolOptions } from '../../src/options/options.js';

/** The two ways of commands onto the wire; see docs/transport.md. */
export const LINKS = ['direct', 'public'] as const;

export type Link = (typeof LINKS)[number];

export type AnyFunction = (...args: unknown[]) => unknown;

/** The scripts that tests define. */
type ScriptName =
  | ('addTo' | 'anyKeys' | 'countUp' | 'first' | 'inside' | 'keysAndArguments' | 'needsKey' | 'noKeys')
  | ('pair' | 'reader' | 'told' | 'upAgain');

type MethodName =
  | Extract<keyof Redis | keyof RedisPool | keyof ChainableCommander, string>
  | (ScriptName | 'exec')
  | `${ScriptName | 'exec'}Buffer`;

/** Both clients as tests use them: any arguments. What their types say is the business of type tests. */
export type Client = Readonly<Record<MethodName, AnyFunction>>;

/** A pipeline or a transaction: each method returns it; what `exec()` returns is awaited as it is. */
export type Chain = { readonly [Name in MethodName]: (...args: unknown[]) => Chain } & {
  readonly length: number;
};

export function untyped(client: object): Client {
  return client as Client;
}

export function pipeline(client: Client, batch?: unknown): Chain {
  return client.pipeline(batch) as Chain;
}

export function multi(client: Client, batch?: unknown): Chain {
  return client.multi(batch) as Chain;
}

/** A method by a name that comes from a table. */
export function methodOf(client: object, name: string): AnyFunction {
  const method: unknown = Reflect.get(client, name);
  if (typeof method !== 'function') throw new Error(`There is no method ${name}()`);
  return method.bind(client) as AnyFunction;
}

/** A plain ioredis connection. It never reconnects, so that a lost connection fails the test. */
export async function openIoredis(url: string, options: RedisOptions = {}): Promise<Redis> {
  // The mapping is a type parameter of ioredis's class; here it is known at run time only.
  const all = { ...options, lazyConnect: true, retryStrategy: null } as RedisOptions & {
    replyMapping?: 'legacy';
  };
  const redis: Redis = new Redis(url, all);
  redis.on('error', () => {});
  await redis.connect();
  return redis;
}

interface PoolRequest {
  readonly link: Link;
  readonly redis?: RedisConnectionOptions | undefined;
  readonly options: Omit<RedisPoolOptions, 'name' | 'redis'>;
}

let pools = 0;

/** A connected pool whose lane uses the given link, whatever the environment of the test run says. */
export async function openPool({ link, redis = {}, options }: PoolRequest): Promise<RedisPool> {
  pools += 1;
  const pool = createRedisPool({ ...options, name: `differential-${pools}-${link}`, redis });
  await withLink(link, () => pool.ready());
  const used = pool.stats().lanes[0]?.link;
  if (used !== link) throw new Error(`The pool should use the ${link} link and uses the ${used} one`);
  return pool;
}

/** The variable is read whenever a lane connects. */
async function withLink(link: Link, connect: () => Promise<void>): Promise<void> {
  const before = process.env.REDIS_POOL_LINK;
  process.env.REDIS_POOL_LINK = link;
  try {
    await connect();
  } finally {
    if (before === undefined) delete process.env.REDIS_POOL_LINK;
    else process.env.REDIS_POOL_LINK = before;
  }
}
