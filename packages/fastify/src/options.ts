import { createRedisPool, type RedisPool, RedisPoolError, type RedisPoolOptions } from '@redis-pool/core';
import type { FastifyBaseLogger } from 'fastify';

/**
 * What registration does about a server that may be away.
 *
 * - `require`: waits for a connection; without one the boot fails.
 * - `optional`: starts to connect and boots on; requests are answered with 503 until there is a connection.
 * - `lazy`: opens nothing before the first command.
 */
export type Startup = 'require' | 'optional' | 'lazy';

interface CommonOptions {
  /** Puts the pool at `fastify.redis.<namespace>` and `request.redis.<namespace>`. @default none: at `redis` itself */
  readonly namespace?: string | undefined;
  /** @default 'require' */
  readonly startup?: Startup | undefined;
}

/** The plugin makes a handle of its own, and closes it. */
export interface OwnPoolOptions extends CommonOptions, RedisPoolOptions {
  readonly client?: undefined;
  readonly closeClient?: undefined;
}

/** The application has a handle already. */
export interface GivenPoolOptions extends CommonOptions {
  /** A handle of `createRedisPool()` or `getRedisPool()`; excludes all options of a pool. */
  readonly client: RedisPool;
  /** Whether closing the application closes the handle. @default false */
  readonly closeClient?: boolean | undefined;
}

/**
 * Options of the plugin: those of a pool and a few of its own. `name` is the namespace unless given, `logger` is
 * the application's.
 */
export type RedisPoolPluginOptions = OwnPoolOptions | GivenPoolOptions;

/** Options that Fastify reads itself; a plugin sees them too. */
interface RegisterOptions {
  readonly prefix?: unknown;
  readonly logLevel?: unknown;
  readonly logSerializers?: unknown;
}

/** A pool handle and what the plugin needs to know about it. */
export interface PoolSource {
  readonly pool: RedisPool;
  /** Whether the plugin has to close it. */
  readonly owned: boolean;
  /** As given. */
  readonly connectTimeoutMs: number | undefined;
  readonly closeTimeoutMs: number;
}

/** That of the core package. */
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;

const STARTUPS: readonly unknown[] = ['require', 'optional', 'lazy'] satisfies Startup[];

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkOptions({ namespace, startup, client, closeClient }: RedisPoolPluginOptions): void {
  if (namespace !== undefined && (typeof namespace !== 'string' || namespace === '')) {
    throw invalidOption(`Option "namespace" must be a non-empty string, received ${describe(namespace)}`);
  }
  if (startup !== undefined && !STARTUPS.includes(startup)) {
    throw invalidOption(
      `Option "startup" must be 'require', 'optional' or 'lazy', received ${describe(startup)}`,
    );
  }
  if (closeClient !== undefined && client === undefined) {
    throw invalidOption(
      'Option "closeClient" needs "client": a pool made by the plugin is always closed by it',
    );
  }
}

/** The pool that the options name: the given one, or a new handle. */
export function openPool(options: RedisPoolPluginOptions, logger: FastifyBaseLogger): PoolSource {
  const { namespace, startup, client, closeClient, prefix, logLevel, logSerializers, ...rest } =
    options as RedisPoolPluginOptions & RegisterOptions;
  const poolOptions: RedisPoolOptions = rest;
  const { connectTimeoutMs, closeTimeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = poolOptions;
  const limits = { connectTimeoutMs, closeTimeoutMs };
  if (client !== undefined) {
    checkClient(client, poolOptions);
    return { pool: client, owned: closeClient === true, ...limits };
  }
  // Two namespaces are two pools also where nobody thought of naming them.
  const name = poolOptions.name ?? namespace;
  const pool = createRedisPool({ ...poolOptions, name, logger: poolOptions.logger ?? logger });
  return { pool, owned: true, ...limits };
}

export function invalidOption(message: string): RedisPoolError {
  return new RedisPoolError('RP_ERR_INVALID_OPTION', message);
}

function checkClient(client: unknown, poolOptions: object): void {
  const [other] = Object.entries(poolOptions).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) throw invalidOption(`Options "client" and "${other}" exclude each other`);
  if (isRedisPool(client)) return;
  throw invalidOption(
    `Option "client" must be a RedisPool, from createRedisPool() or getRedisPool(), received ${describe(client)}. ` +
      'An instance of ioredis is not taken over: give its address and settings as "url" and "redis"',
  );
}

// By shape: a second copy of the core package in the process has a class of its own.
function isRedisPool(value: unknown): value is RedisPool {
  if (typeof value !== 'object' || value === null) return false;
  const { ready, scope, stats, close } = value as Partial<Record<keyof RedisPool, unknown>>;
  return [ready, scope, stats, close].every((method) => typeof method === 'function');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'object' && value !== null) return 'another object';
  return String(value);
}
