import type { ClusterNode, ClusterOptions, RedisOptions } from 'ioredis';
import type { Logger } from './logger.js';

/** What authenticates one connection. */
export interface Credentials {
  /** ACL user. @default the server's `default` user */
  readonly username?: string | undefined;
  readonly password: string;
  /**
   * For how long this password holds, ms, above 0: some time before that the pool asks again, and has the open
   * connections authenticate with the new answer. Left out, it asks when it connects.
   */
  readonly validForMs?: number | undefined;
}

/** A Lua script that becomes a command of the pool on every connection, present and future. */
export interface ScriptDefinition {
  /** The source. Sent once per server with EVAL, afterwards by its SHA-1. */
  readonly lua: string;
  /** How many of the first arguments are keys. Left out, the first argument of each call says it. 0 is a value. */
  readonly numberOfKeys?: number | undefined;
  /** Whether it only reads: then it may be re-sent as other reads are. @default false */
  readonly readOnly?: boolean | undefined;
}

/** What a connection is for. */
export type ConnectionRole = 'lane' | 'lease' | 'subscriber' | 'dedicated';

/** A new connection that only the `connect` hook uses so far. */
export interface HookConnection {
  readonly role: ConnectionRole;
  /** Runs a command on this very connection. */
  call(name: string, ...args: (string | Buffer | number)[]): Promise<unknown>;
}

/** What the other hooks are told. */
export interface HookContext {
  /** Name of the pool. */
  readonly pool: string;
}

/** Called at turning points of the pool's life, as plain functions (without `this`); each may be async. */
export interface PoolHooks {
  /** On each new connection before its first use. A rejection makes this attempt to connect fail. */
  readonly connect?: ((connection: HookConnection) => void | Promise<void>) | undefined;
  /**
   * When a lease is handed to a caller, for a single blocking command too; waited for, within the limit of the
   * acquire. What it throws fails that acquire.
   */
  readonly acquire?: ((context: HookContext) => void | Promise<void>) | undefined;
  /**
   * When a lease came back, clean or destroyed; `release()` waits for it, for as long as a command may take and until the
   * pool is closed. What it throws is only logged.
   */
  readonly release?: ((context: HookContext) => void | Promise<void>) | undefined;
  /** When the last handle is closed and the pool stops taking work. */
  readonly drain?: ((context: HookContext) => void | Promise<void>) | undefined;
  /** When every connection is closed. */
  readonly close?: ((context: HookContext) => void | Promise<void>) | undefined;
}

/** The options of ioredis that describe a server and its connections. */
type RedisOptionName =
  | ('host' | 'port' | 'family' | 'path' | 'tls' | 'username' | 'password' | 'db' | 'keepAlive' | 'noDelay')
  | ('keyPrefix' | 'protocol' | 'replyMapping' | 'stringNumbers' | 'disconnectTimeout' | 'sentinels' | 'name')
  | ('role' | 'sentinelUsername' | 'sentinelPassword')
  | ('sentinelMaxConnections' | 'sentinelTLS' | 'enableTLSForSentinelMode')
  | ('natMap' | 'updateSentinels' | 'preferredSlaves' | 'failoverDetector');

/**
 * The part of ioredis's `RedisOptions` that describes a server. What ioredis would decide by itself (reconnecting,
 * queueing, timeouts, resending) is the pool's and refused, with the name of the option to use instead.
 *
 * Defaults are those of ioredis, except: `host` 127.0.0.1, and with `sentinels` `failoverDetector` true and
 * `enableTLSForSentinelMode` true when there is `tls`.
 */
export type RedisConnectionOptions = Pick<RedisOptions, Exclude<RedisOptionName, 'role'>> & {
  /** Which server of a master group to use; `slave` is ioredis's word for `replica`. @default 'master' */
  role?: 'master' | 'replica' | 'slave' | undefined;
};

/** Options of ioredis's Cluster that the pool does not decide. */
export type ClusterConnectionOptions = Pick<
  ClusterOptions,
  | ('scaleReads' | 'maxRedirections' | 'retryDelayOnClusterDown' | 'retryDelayOnTryAgain' | 'keyPrefix')
  | ('slotsRefreshTimeout' | 'slotsRefreshInterval' | 'shardedSubscribers' | 'natMap' | 'dnsLookup')
> & {
  /** What holds for every node. */
  readonly redisOptions?: ClusterNodeOptions | undefined;
};

/** Options of each connection to a node of a cluster; addresses come from the cluster itself. */
export type ClusterNodeOptions = Pick<
  RedisConnectionOptions,
  | ('family' | 'tls' | 'username' | 'password' | 'keepAlive' | 'noDelay' | 'protocol' | 'replyMapping')
  | ('stringNumbers' | 'disconnectTimeout')
>;

/** A Redis Cluster to discover. */
export interface ClusterTarget {
  /** At least one node to ask for the others: `'redis://host:port'`, a port, or `{ host, port }`; no credentials. */
  readonly nodes: readonly ClusterNode[];
  readonly options?: ClusterConnectionOptions | undefined;
}

/** How much may wait for a reply on the lanes. */
export interface MaxPending {
  /** Commands unanswered or unsent, from 1. @default 100_000 */
  readonly commands?: number | undefined;
  /**
   * Bytes of unanswered or unsent commands, from 1. Each counts with 1,050 more than its arguments: what it takes of the
   * heap together with the function that awaits it. The default is reached by 60,000 commands with short arguments.
   * @default 67_108_864 (64 MiB)
   */
  readonly bytes?: number | undefined;
}

/** Pause between attempts to connect: random between 0 and a bound that doubles from `minDelayMs` to `maxDelayMs`. */
export interface ReconnectOptions {
  /** Bound of the first pause, ms, 1 to 2_147_483_647 and at most `maxDelayMs`. @default 50 */
  readonly minDelayMs?: number | undefined;
  /** Bound that later pauses grow to, ms, 1 to 2_147_483_647. @default 5_000 */
  readonly maxDelayMs?: number | undefined;
}

/**
 * Options of a pool. All may be left out, and `undefined` is the same as left out; 0 is a value.
 *
 * The object is read once, synchronously and before any I/O, and never changed. An unknown name, a value outside
 * its range and a pair that contradicts itself are errors: `RP_ERR_INVALID_OPTION`.
 */
export interface RedisPoolOptions {
  /**
   * Name of the pool in this process, and prefix of its connections in CLIENT LIST.
   * 1 to 64 of `A-Z a-z 0-9 _ . -`. @default 'default'
   */
  readonly name?: string | undefined;
  /**
   * `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix://[user[:password]@]/path` or an
   * absolute path; query parameters `db`, `family`, `protocol`. Reserved characters in user and password are
   * percent-encoded. Excludes `redis.host`, `.port`, `.path`, `.sentinels` and `cluster`: with one of those
   * REDIS_URL is not read either. @default process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
   */
  readonly url?: string | undefined;
  /** Connection options of ioredis: TLS, user, Sentinel, protocol, key prefix. @default {} */
  readonly redis?: RedisConnectionOptions | undefined;
  /** A Redis Cluster instead of one server. Excludes `url` and `redis`. @default none */
  readonly cluster?: ClusterTarget | undefined;
  /**
   * Asked at every attempt to connect, and before its answer expires, for passwords and tokens that change. When the
   * answer is another one, the open connections authenticate again. Excludes a fixed user or password. @default none
   */
  readonly credentials?: (() => Credentials | Promise<Credentials>) | undefined;
  /** Shared connections, from 1 and less than `maxConnections`. More than one rarely helps. @default 1 */
  readonly lanes?: number | undefined;
  /**
   * Hard limit of connections, 2 to 100_000: lanes, leases, subscriber and dedicated clients together.
   * At the limit callers wait. @default 20
   */
  readonly maxConnections?: number | undefined;
  /** Lease connections kept open while unused, 0 to `maxConnections - lanes`. @default 0 */
  readonly minIdleLeases?: number | undefined;
  /** Time after which an unused lease connection is closed, ms, 1 to 2_147_483_647. @default 30_000 */
  readonly leaseIdleMs?: number | undefined;
  /**
   * Age at which a lease connection is not handed out again, ms, 1 to 2_147_483_647. Each connection takes up to
   * 10 % off at random, so that they do not all end at once. @default 1_800_000
   */
  readonly leaseMaxLifetimeMs?: number | undefined;
  /**
   * Age at which a lane gets another connection, ms, 1 to 2_147_483_647, up to 10 % less at random. The new one is
   * there before the old one goes, and no command fails for it. @default 1_800_000
   */
  readonly laneMaxLifetimeMs?: number | undefined;
  /** Limit of one attempt to connect, ms, 1 to 2_147_483_647: DNS, TCP, TLS and handshake together. @default 2_000 */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Limit of one command from the call on, ms, 1 to 2_147_483_647, waiting for a connection included.
   * There is always one: neither 0 nor Infinity turns it off. @default 5_000
   */
  readonly commandTimeoutMs?: number | undefined;
  /**
   * A connection that has received nothing for so long is sent a PING, ms, 0 to 2_147_483_647; unanswered for
   * `commandTimeoutMs` (and no less than 1_000), it is replaced. A blocking command of more than six times as long is
   * asked for in slices of that length, for the same reason. 0: none of both, except a PING after the machine slept.
   * @default 10_000
   */
  readonly heartbeatMs?: number | undefined;
  /** Limit of waiting for a lease, ms, 1 to 2_147_483_647. @default 2_000 */
  readonly acquireTimeoutMs?: number | undefined;
  /**
   * Time after which a lease that is still held is reported with the place of its acquire, ms. 0: never; then places
   * are not remembered at all, which saves some microseconds for each lease. @default 30_000
   */
  readonly leaseReportMs?: number | undefined;
  /**
   * Callers that may wait for a lease at once, 0 to 10_000_000, besides those for whom a connection is being opened.
   * 0: nobody waits for another caller. @default 1_000
   */
  readonly maxWaiting?: number | undefined;
  /** Bounds of what waits for a reply on the lanes; more is refused with RP_ERR_QUEUE_FULL. */
  readonly maxPending?: MaxPending | undefined;
  /** Re-sends of a read-only command after a lost connection, 0 to 100. Writes are never re-sent. @default 1 */
  readonly retryReads?: number | undefined;
  /** Pauses between attempts to connect. */
  readonly reconnect?: ReconnectOptions | undefined;
  /** Limit of `close()`, ms, 1 to 2_147_483_647; what still runs then is cut. @default 10_000 */
  readonly closeTimeoutMs?: number | undefined;
  /** Lua scripts by command name (a JavaScript identifier). @default {} */
  readonly scripts?: Readonly<Record<string, ScriptDefinition>> | undefined;
  /** Where the pool reports changes of state: any pino-shaped logger. @default silent */
  readonly logger?: Logger | undefined;
  /** Functions to call at turning points of the pool's life. @default {} */
  readonly hooks?: PoolHooks | undefined;
}
