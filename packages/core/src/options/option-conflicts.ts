import type { RedisPoolError } from '../errors/errors.js';
import type { CheckedCluster } from './cluster-option-rules.js';
import { type Checked, invalidOption } from './option-rules.js';
import type { MaxPending, ReconnectOptions, RedisConnectionOptions, RedisPoolOptions } from './options.js';
import type { ParsedUrl } from './redis-url.js';
import type { ResolvedOptions } from './resolved-options.js';

/** The options as given, each value checked by itself. */
export interface GivenOptions extends Checked<Omit<RedisPoolOptions, keyof CheckedGroups>>, CheckedGroups {}

interface CheckedGroups {
  cluster?: CheckedCluster;
  redis?: Checked<RedisConnectionOptions>;
  maxPending?: Checked<MaxPending>;
  reconnect?: Checked<ReconnectOptions>;
}

/** A URL that is in use, and where it came from. */
export interface UrlSource {
  readonly label: 'url' | 'REDIS_URL';
  readonly parsed: ParsedUrl;
}

const SENTINEL_ONLY = [
  'name',
  'role',
  'sentinelUsername',
  'sentinelPassword',
  'sentinelTLS',
  'sentinelMaxConnections',
  'enableTLSForSentinelMode',
  'natMap',
  'updateSentinels',
  'preferredSlaves',
  'failoverDetector',
] as const;

/** Where the server is, most telling first. Only host and port go together. */
const SERVER_NAMES = ['sentinels', 'path', 'host', 'port'] as const;
const EACH_NAMES_IT = 'each names the server';

function contradiction(first: string, second: string, reason: string): RedisPoolError {
  return invalidOption(`Options ${first} and ${second} contradict each other: ${reason}`);
}

/** Two ways to say where the server is. */
export function checkTarget({ url, redis = {}, cluster }: GivenOptions): void {
  if (cluster !== undefined && url !== undefined) throw contradiction('"url"', '"cluster"', EACH_NAMES_IT);
  if (cluster !== undefined && Object.keys(redis).length > 0) {
    const reason = 'what holds for each node goes into "cluster.options.redisOptions"';
    throw contradiction('"redis"', '"cluster"', reason);
  }
  const [first, second] = SERVER_NAMES.filter((key) => redis[key] !== undefined);
  if (url !== undefined && first !== undefined) {
    throw contradiction('"url"', `"redis.${first}"`, EACH_NAMES_IT);
  }
  if (second !== undefined && first !== 'host') {
    throw contradiction(`"redis.${first}"`, `"redis.${second}"`, EACH_NAMES_IT);
  }
  checkSentinel(redis);
}

function checkSentinel(redis: Checked<RedisConnectionOptions>): void {
  if (redis.sentinels === undefined) {
    const stray = SENTINEL_ONLY.find((key) => redis[key] !== undefined);
    if (stray === undefined) return;
    throw invalidOption(`Option "redis.${stray}" is for "redis.sentinels", which is missing`);
  }
  if (redis.name === undefined) {
    throw invalidOption(
      'Option "redis.sentinels" needs "redis.name" (of the master group), which is missing',
    );
  }
  // ioredis would go on in plain text (or without TLS options) and say nothing.
  const both = ['"redis.tls"', '"redis.enableTLSForSentinelMode"'] as const;
  if (redis.tls !== undefined && redis.enableTLSForSentinelMode === false) {
    throw contradiction(...both, 'the first is used only if the second is true');
  }
  if (redis.tls === undefined && redis.enableTLSForSentinelMode === true) {
    throw contradiction(...both, 'the second is true and the first is missing');
  }
}

/** What a URL and the option `redis` may both say must be the same; what is fixed cannot be asked for as well. */
export function checkSettings(given: GivenOptions, source: UrlSource | undefined): void {
  const redis = settingsOf(given);
  const { parsed = {}, label = 'url' } = source ?? {};
  for (const key of ['db', 'username', 'password', 'family', 'protocol'] as const) {
    const differs = redis[key] !== undefined && parsed[key] !== undefined && redis[key] !== parsed[key];
    if (differs) throw contradiction(`"${label}"`, `"redis.${key}"`, `each has a different ${key}`);
  }
  checkCredentials(given, source);
  checkSocket(given, source);
  const protocol = redis.protocol ?? parsed.protocol;
  if (redis.replyMapping === 'resp3' && protocol === 2) {
    const where = given.cluster === undefined ? 'redis' : 'cluster.options.redisOptions';
    const named = redis.protocol === undefined ? `"${label}" (protocol 2)` : `"${where}.protocol" (2)`;
    throw contradiction(`"${where}.replyMapping" ("resp3")`, named, 'RESP3 replies need protocol 3');
  }
}

/** What holds for each connection, wherever it was written. */
export function settingsOf({ redis, cluster }: GivenOptions): Checked<RedisConnectionOptions> {
  if (cluster === undefined) return redis ?? {};
  const { redisOptions = {}, keyPrefix } = cluster.options;
  return {
    ...redisOptions,
    ...(keyPrefix === undefined ? {} : { keyPrefix }),
  } as Checked<RedisConnectionOptions>;
}

function checkCredentials(given: GivenOptions, source: UrlSource | undefined): void {
  if (given.credentials === undefined) return;
  const settings = settingsOf(given);
  for (const key of ['password', 'username'] as const) {
    const where = given.cluster === undefined ? 'redis' : 'cluster.options.redisOptions';
    const named = settings[key] !== undefined ? `${where}.${key}` : source?.label;
    if (settings[key] === undefined && source?.parsed[key] === undefined) continue;
    throw contradiction('"credentials"', `"${named}"`, `a ${key} is either asked for or fixed`);
  }
}

function checkSocket({ redis = {} }: GivenOptions, source: UrlSource | undefined): void {
  const path = redis.path === undefined ? source?.parsed.path && `"${source.label}"` : '"redis.path"';
  if (!path) return;
  for (const key of ['tls', 'family'] as const) {
    if (redis[key] !== undefined) throw contradiction(path, `"redis.${key}"`, `a unix socket has no ${key}`);
  }
}

/** Bounds that leave no room between them. */
export function checkLimits({ lanes, maxConnections, minIdleLeases, reconnect }: ResolvedOptions): void {
  if (lanes >= maxConnections) {
    const reason = 'lanes must be less, so that a connection is left for a lease';
    throw contradiction(`"lanes" (${lanes})`, `"maxConnections" (${maxConnections})`, reason);
  }
  if (minIdleLeases > maxConnections - lanes) {
    const reason = `minIdleLeases must be at most maxConnections - lanes (${maxConnections - lanes})`;
    throw contradiction(`"minIdleLeases" (${minIdleLeases})`, `"maxConnections" (${maxConnections})`, reason);
  }
  const { minDelayMs, maxDelayMs } = reconnect;
  if (minDelayMs > maxDelayMs) {
    const [min, max] = [`"reconnect.minDelayMs" (${minDelayMs})`, `"reconnect.maxDelayMs" (${maxDelayMs})`];
    throw contradiction(min, max, 'minDelayMs must be at most maxDelayMs');
  }
}
