import { frozenCopy, withSecrets } from './frozen-copy.js';
import { silentLogger } from './logger.js';
import {
  checkLimits,
  checkSettings,
  checkTarget,
  type GivenOptions,
  settingsOf,
  type UrlSource,
} from './option-conflicts.js';
import type { Checked } from './option-rules.js';
import type { RedisConnectionOptions, RedisPoolOptions } from './options.js';
import { readPoolOptions } from './pool-option-rules.js';
import { type ParsedUrl, parseRedisUrl } from './redis-url.js';
import type {
  Auth,
  Endpoint,
  ResolvedOptions,
  SentinelEndpoint,
  TransportOptions,
} from './resolved-options.js';

const DEFAULTS = {
  name: 'default',
  credentials: undefined,
  lanes: 1,
  maxConnections: 20,
  minIdleLeases: 0,
  leaseIdleMs: 30_000,
  leaseMaxLifetimeMs: 1_800_000,
  laneMaxLifetimeMs: 1_800_000,
  connectTimeoutMs: 2_000,
  commandTimeoutMs: 5_000,
  heartbeatMs: 10_000,
  acquireTimeoutMs: 2_000,
  leaseReportMs: 30_000,
  maxWaiting: 1_000,
  maxPending: { commands: 100_000, bytes: 64 * 1024 * 1024 },
  retryReads: 1,
  reconnect: { minDelayMs: 50, maxDelayMs: 5_000 },
  closeTimeoutMs: 10_000,
  scripts: {},
  logger: silentLogger,
  hooks: {},
} as const;

/** Those of ioredis. */
const TRANSPORT_DEFAULTS: TransportOptions = {
  keepAlive: 30_000,
  noDelay: true,
  keyPrefix: '',
  protocol: 3,
  replyMapping: 'legacy',
  stringNumbers: false,
  disconnectTimeout: 2_000,
};

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26_379;

/** What a Sentinel endpoint passes on to ioredis, which has its own defaults for them. */
const SENTINEL_EXTRAS = ['sentinelUsername', 'sentinelMaxConnections', 'natMap', 'preferredSlaves'] as const;

/**
 * Checks the options of a pool and fills in every default: the only place that knows defaults.
 *
 * Synchronous and without I/O; besides its argument it reads only `process.env.REDIS_URL`, and that only when
 * nothing else names the server. The argument is never changed; the result is new and deeply frozen.
 *
 * @param input - Options, or a URL as short for `{ url }`.
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`: option path, rule and received value; never a secret.
 */
export function parseOptions(input: string | RedisPoolOptions = {}): ResolvedOptions {
  const given = readPoolOptions(input);
  checkTarget(given);
  const source = urlSourceOf(given);
  checkSettings(given, source);
  const resolved = resolve(given, source?.parsed ?? {});
  checkLimits(resolved);
  return resolved;
}

/** The URL in use, if one is. REDIS_URL is a default: it gives way to anything that names the server. */
function urlSourceOf({ url, redis = {}, cluster }: GivenOptions): UrlSource | undefined {
  if (url !== undefined) return { label: 'url', parsed: parseRedisUrl(url) };
  const isNamed = cluster ?? redis.sentinels ?? redis.path ?? redis.host ?? redis.port;
  const fromEnvironment = process.env.REDIS_URL;
  if (isNamed !== undefined || fromEnvironment === undefined) return undefined;
  return { label: 'REDIS_URL', parsed: parseRedisUrl(fromEnvironment, 'Environment variable "REDIS_URL"') };
}

function resolve(given: GivenOptions, url: ParsedUrl): ResolvedOptions {
  const { url: _, redis, cluster, logger = DEFAULTS.logger, ...rest } = given;
  const settings = settingsOf(given);
  const filled = {
    ...DEFAULTS,
    ...rest,
    maxPending: { ...DEFAULTS.maxPending, ...rest.maxPending },
    reconnect: { ...DEFAULTS.reconnect, ...rest.reconnect },
    db: settings.db ?? url.db ?? 0,
    redis: transportOf(settings, url),
  };
  const { tls = url.tls && {} } = settings;
  return withSecrets(
    { ...frozenCopy(filled), endpoint: endpointOf(given, url), auth: authOf(settings, url), logger },
    { tls },
  );
}

function transportOf(settings: Checked<RedisConnectionOptions>, url: ParsedUrl): TransportOptions {
  const fromUrl = url.protocol === undefined ? {} : { protocol: url.protocol };
  const { keepAlive, noDelay, keyPrefix, protocol, replyMapping, stringNumbers, disconnectTimeout } = {
    ...TRANSPORT_DEFAULTS,
    ...fromUrl,
    ...settings,
  };
  return { keepAlive, noDelay, keyPrefix, protocol, replyMapping, stringNumbers, disconnectTimeout };
}

function authOf(settings: Checked<RedisConnectionOptions>, url: ParsedUrl): Auth {
  const username = settings.username ?? url.username;
  const password = settings.password ?? url.password;
  return withSecrets(username === undefined ? {} : { username }, password === undefined ? {} : { password });
}

function endpointOf(given: GivenOptions, url: ParsedUrl): Endpoint {
  const settings = settingsOf(given);
  const family = settings.family ?? url.family ?? 0;
  if (given.cluster !== undefined) {
    const { redisOptions, keyPrefix, ...options } = given.cluster.options;
    return frozenCopy({ kind: 'cluster', nodes: given.cluster.nodes, family, options });
  }
  if (settings.sentinels !== undefined) return sentinelEndpoint(settings, family);
  const path = settings.path ?? url.path;
  if (path !== undefined) return Object.freeze({ kind: 'unix', path });
  const { host = url.host ?? DEFAULT_HOST, port = url.port ?? DEFAULT_PORT } = settings;
  return Object.freeze({ kind: 'tcp', host, port, family });
}

/** Facts 14: without a failover detector an old master is kept for seconds, and acknowledged writes are lost. */
function sentinelEndpoint(settings: Checked<RedisConnectionOptions>, family: number): SentinelEndpoint {
  const { name = '', role = 'master', sentinels = [] } = settings;
  const { updateSentinels = true, failoverDetector = true } = settings;
  const { enableTLSForSentinelMode = settings.tls !== undefined, sentinelPassword, sentinelTLS } = settings;
  const extras = Object.fromEntries(SENTINEL_EXTRAS.map((key) => [key, settings[key]]));
  const shown = {
    kind: 'sentinel' as const,
    sentinels: sentinels.map(({ host = DEFAULT_HOST, port = DEFAULT_SENTINEL_PORT }) => ({ host, port })),
    ...{ name, family, updateSentinels, failoverDetector, enableTLSForSentinelMode },
    role: role === 'master' ? role : ('slave' as const),
    ...(extras as Pick<typeof settings, (typeof SENTINEL_EXTRAS)[number]>),
  };
  return withSecrets({ ...frozenCopy(shown) }, { sentinelPassword, sentinelTLS });
}
