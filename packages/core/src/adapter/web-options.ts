import {
  callable,
  describeType,
  filledText,
  flag,
  invalidOption,
  milliseconds,
  oneOf,
} from '../options/option-rules.js';
import type { RedisPoolOptions } from '../options/options.js';
import type { RedisPool } from '../pool.js';
import { checkScopeOptions, type OnHangUp } from '../scope/scope-options.js';

/**
 * What an application does at its start about a server that may be away.
 *
 * - `require`: waits for a connection; without one the start fails.
 * - `optional`: starts to connect and goes on; requests are answered with 503 until there is a connection.
 * - `lazy`: opens nothing before the first command.
 */
export type Startup = 'require' | 'optional' | 'lazy';

/** How the pool serves one request. `Request`: what the framework gives its handlers. */
export interface RequestOptions<Request = unknown> {
  /** What happens when the client leaves before it has its response, see {@link OnHangUp}. @default 'finish' */
  readonly onHangUp?: OnHangUp | undefined;
  /** How long a lease may lie unused after its response closed before it is taken back, ms, from 1. @default 1_000 */
  readonly forgottenLeaseMs?: number | undefined;
  /**
   * Time that one request has for Redis in all, ms, from 1, counted from its first use of it.
   * @default none; each command has its own commandTimeoutMs
   */
  readonly requestTimeoutMs?: number | undefined;
  /** A signal that ends what the request runs, such as that of a deadline of the framework. @default none */
  readonly requestSignal?: ((request: Request) => AbortSignal | undefined) | undefined;
  /** Adds a `Server-Timing` header: commands, leases, and the time waited for Redis. @default false */
  readonly serverTiming?: boolean | undefined;
}

/** Where and how a pool is mounted in an application. */
export interface MountOptions<Request = unknown> extends RequestOptions<Request> {
  /** Puts the pool at `redis.<namespace>`. @default none: at `redis` itself */
  readonly namespace?: string | undefined;
  /** @default 'require' */
  readonly startup?: Startup | undefined;
}

/** The adapter makes a handle of its own, and closes it. */
export interface OwnPoolOptions<Request = unknown> extends MountOptions<Request>, RedisPoolOptions {
  readonly client?: undefined;
  readonly closeClient?: undefined;
}

/** The application has a handle already. */
export interface GivenPoolOptions<Request = unknown> extends MountOptions<Request> {
  /** A handle of `createRedisPool()` or `getRedisPool()`; excludes all options of a pool. */
  readonly client: RedisPool;
  /** Whether closing the application closes the handle. @default false */
  readonly closeClient?: boolean | undefined;
}

/**
 * Options of an adapter: those of a pool and a few of its own. `name` is the namespace unless given, `logger` that
 * of the framework.
 */
export type WebPoolOptions<Request = unknown> = OwnPoolOptions<Request> | GivenPoolOptions<Request>;

const aStartup = oneOf('require', 'optional', 'lazy');
const aSignalSource = callable<NonNullable<RequestOptions<never>['requestSignal']>>();
const aDuration = milliseconds(1);

/** What is left for the pool itself, without what is the adapter's. */
export function poolOptionsOf(options: WebPoolOptions<never>): RedisPoolOptions {
  const {
    namespace,
    startup,
    client,
    closeClient,
    onHangUp,
    forgottenLeaseMs,
    requestTimeoutMs,
    requestSignal,
    serverTiming,
    ...rest
  } = options;
  return rest;
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkWebOptions(options: WebPoolOptions<never>): void {
  const { namespace, startup, client, closeClient } = options;
  if (namespace !== undefined) filledText(namespace, 'namespace');
  if (startup !== undefined) aStartup(startup, 'startup');
  checkRequestOptions(options);
  if (closeClient !== undefined) flag(closeClient, 'closeClient');
  if (client !== undefined) checkClient(client, poolOptionsOf(options));
  else if (closeClient !== undefined) {
    throw invalidOption('Option "closeClient" needs "client": a pool made here is always closed here');
  }
}

function checkRequestOptions(options: RequestOptions<never>): void {
  const { onHangUp, forgottenLeaseMs, requestTimeoutMs, requestSignal, serverTiming } = options;
  checkScopeOptions({ onHangUp, forgottenLeaseMs });
  if (requestTimeoutMs !== undefined) aDuration(requestTimeoutMs, 'requestTimeoutMs');
  if (requestSignal !== undefined) aSignalSource(requestSignal, 'requestSignal');
  if (serverTiming !== undefined) flag(serverTiming, 'serverTiming');
}

function checkClient(client: unknown, poolOptions: object): void {
  const [other] = Object.entries(poolOptions).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) throw invalidOption(`Options "client" and "${other}" exclude each other`);
  if (isRedisPool(client)) return;
  throw invalidOption(
    `Option "client" must be a RedisPool, from createRedisPool() or getRedisPool(), received ${describeType(client)}. ` +
      'An instance of ioredis is not taken over: give its address and settings as "url" and "redis"',
  );
}

// By shape: a second copy of this package in the process has a class of its own.
function isRedisPool(value: unknown): value is RedisPool {
  if (typeof value !== 'object' || value === null) return false;
  const { ready, scope, stats, close } = value as Partial<Record<keyof RedisPool, unknown>>;
  return [ready, scope, stats, close].every((method) => typeof method === 'function');
}
