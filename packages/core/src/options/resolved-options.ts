import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { isPlain } from './frozen-copy.js';
import type { Logger } from './logger.js';
import type {
  ClusterConnectionOptions,
  Credentials,
  PoolHooks,
  RedisConnectionOptions,
  ScriptDefinition,
} from './options.js';

/** Where one server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One server. */
interface TcpEndpoint extends Address {
  readonly kind: 'tcp';
  /** 0: IPv4 or IPv6. */
  readonly family: number;
  /** What finds the address of the host. @default that of Node */
  readonly lookup?: LookupFunction;
}

/** One server on this machine. */
interface UnixEndpoint {
  readonly kind: 'unix';
  readonly path: string;
}

type SentinelExtras = Pick<
  RedisConnectionOptions,
  | ('sentinelUsername' | 'sentinelPassword' | 'sentinelTLS')
  | ('sentinelMaxConnections' | 'natMap' | 'preferredSlaves')
>;

/** The server that Sentinels name. `sentinelPassword` and `sentinelTLS` are not enumerable. */
export interface SentinelEndpoint extends Readonly<SentinelExtras> {
  readonly kind: 'sentinel';
  readonly sentinels: readonly Address[];
  /** Of the master group. */
  readonly name: string;
  readonly role: 'master' | 'slave';
  readonly family: number;
  readonly updateSentinels: boolean;
  readonly failoverDetector: boolean;
  readonly enableTLSForSentinelMode: boolean;
}

/** The servers that make up a cluster. What holds for each node is in `auth`, `tls` and `redis` of the options. */
export interface ClusterEndpoint {
  readonly kind: 'cluster';
  /** To ask for the others. */
  readonly nodes: readonly Address[];
  readonly family: number;
  readonly options: Readonly<Omit<ClusterConnectionOptions, 'redisOptions' | 'keyPrefix'>>;
}

/** Where the connections of a pool go. */
export type Endpoint = TcpEndpoint | UnixEndpoint | SentinelEndpoint | ClusterEndpoint;

/** What authenticates a connection. In {@link ResolvedOptions} `password` is not enumerable. */
export type Auth = Partial<Pick<Credentials, 'username' | 'password'>>;

/** What ioredis is told about a connection besides where it goes and who asks. */
export interface TransportOptions {
  readonly keepAlive: number;
  readonly noDelay: boolean;
  readonly keyPrefix: string;
  readonly protocol: 2 | 3;
  readonly replyMapping: 'legacy' | 'resp3';
  readonly stringNumbers: boolean;
  readonly disconnectTimeout: number;
}

/**
 * The options of a pool, checked, complete and deeply frozen; {@link RedisPoolOptions} describes each.
 *
 * Secrets (`auth.password`, `tls`, `endpoint.sentinelPassword`, `endpoint.sentinelTLS`) are not enumerable: read
 * them by name, or let {@link toIoredisOptions} do it. A spread loses them.
 */
export interface ResolvedOptions {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** Fixed ones; empty with `credentials`. */
  readonly auth: Auth;
  readonly credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly db: number;
  /** `undefined`: no TLS. Not enumerable. */
  readonly tls: Readonly<ConnectionOptions> | undefined;
  readonly redis: TransportOptions;
  readonly lanes: number;
  readonly maxConnections: number;
  readonly minIdleLeases: number;
  readonly leaseIdleMs: number;
  readonly leaseMaxLifetimeMs: number;
  readonly laneMaxLifetimeMs: number;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly acquireTimeoutMs: number;
  readonly leaseReportMs: number;
  readonly maxWaiting: number;
  readonly maxPending: { readonly commands: number; readonly bytes: number };
  readonly retryReads: number;
  readonly reconnect: { readonly minDelayMs: number; readonly maxDelayMs: number };
  readonly closeTimeoutMs: number;
  readonly scripts: Readonly<Record<string, ScriptDefinition>>;
  /** The caller's own object: neither copied nor frozen. */
  readonly logger: Logger;
  readonly hooks: PoolHooks;
}

/** Where a pool connects to, for messages: `127.0.0.1:6379`, `unix:/run/redis.sock`, `sentinel:main@a:26379,b:26379`. */
export function describeEndpoint({ endpoint }: Pick<ResolvedOptions, 'endpoint'>): string {
  switch (endpoint.kind) {
    case 'tcp':
      return describeAddress(endpoint);
    case 'unix':
      return `unix:${endpoint.path}`;
    case 'sentinel':
      return `sentinel:${endpoint.name}@${endpoint.sentinels.map(describeAddress).join(',')}`;
    case 'cluster':
      return `cluster:${endpoint.nodes.map(describeAddress).join(',')}`;
  }
}

export function describeAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The part of the options that describes a server and a user, as a new object for `new Redis()`. It holds the
 * secrets in plain sight: pass it on, never keep or log it. For a cluster it is what goes into `redisOptions`.
 *
 * @param auth - What `credentials` answered, instead of the fixed user and password.
 */
export function toIoredisOptions(options: ResolvedOptions, auth: Auth = options.auth): RedisOptions {
  const { username, password } = auth;
  return {
    ...addressOptions(options.endpoint),
    ...options.redis,
    db: options.db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  };
}

function addressOptions(endpoint: Endpoint): RedisOptions {
  switch (endpoint.kind) {
    case 'tcp': {
      const { kind, ...address } = endpoint;
      return address;
    }
    case 'unix':
      return { path: endpoint.path };
    case 'sentinel': {
      const { sentinelPassword, sentinelTLS } = endpoint;
      const { kind, sentinels, ...shown } = endpoint;
      return { ...shown, sentinels: [...sentinels], sentinelPassword, sentinelTLS };
    }
    case 'cluster':
      return { family: endpoint.family };
  }
}

/**
 * Names of the options whose data differs between two pools of one name; values are never in the answer.
 *
 * Secrets are compared too. Functions and instances of classes (logger, hooks, credentials, callbacks inside TLS
 * options) are not: two equal ones cannot be told from two different ones. An address is called `url`, however it
 * was written.
 */
export function differingOptions(a: ResolvedOptions, b: ResolvedOptions): string[] {
  const [mine, theirs] = [comparable(a), comparable(b)];
  const names = new Set([...Object.keys(mine), ...Object.keys(theirs)]);
  return [...names].filter((name) => !isSame(mine[name], theirs[name]));
}

function comparable(options: ResolvedOptions): Record<string, unknown> {
  const { endpoint, auth, db, redis, maxPending, reconnect, credentials, logger, hooks, ...plain } = options;
  const address = { tcp: 'url', unix: 'url', sentinel: 'redis.sentinels', cluster: 'cluster' }[endpoint.kind];
  return {
    ...plain,
    ...prefixed('maxPending', maxPending),
    ...prefixed('reconnect', reconnect),
    [address]: endpoint,
    ...prefixed('redis', {
      db,
      username: auth.username,
      password: auth.password,
      tls: options.tls,
      ...redis,
    }),
  };
}

function prefixed(prefix: string, members: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).map(([key, value]) => [`${prefix}.${key}`, value]));
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || isOpaque(a) || isOpaque(b)) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((member, index) => isSame(member, b[index]));
  }
  if (!isPlain(a) || !isPlain(b)) return false;
  // Not only the enumerable ones: secrets count.
  const names = new Set([...Object.getOwnPropertyNames(a), ...Object.getOwnPropertyNames(b)]);
  return [...names].every((name) => isSame(a[name], b[name]));
}

function isOpaque(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isData(value);
}

function isData(value: object): boolean {
  return isPlain(value) || value instanceof Uint8Array;
}
