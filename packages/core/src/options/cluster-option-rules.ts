import {
  callable,
  describeType,
  type Explain,
  fields,
  filledList,
  filledText,
  flag,
  foreign,
  integer,
  invalidOption,
  isFunction,
  isRecord,
  milliseconds,
  mustBe,
  type Rule,
  type Rules,
  text,
} from './option-rules.js';
import type { ClusterConnectionOptions, ClusterNodeOptions, ClusterTarget } from './options.js';
import { explainRefused, REDIS_OPTION_RULES } from './redis-option-rules.js';
import { parseRedisUrl } from './redis-url.js';
import type { Address } from './resolved-options.js';

/** Options of ioredis's Cluster, besides those it shares with Redis, that decide what the pool decides. */
const REFUSED: Readonly<Record<string, string>> = {
  clusterNodeRetryStrategy: 'it replaces connections itself; use "reconnect"',
  clusterRetryStrategy: 'it replaces connections itself; use "reconnect"',
  retryDelayOnFailover: 'a write is never sent twice; for reads use "retryReads"',
  retryDelayOnMoved: 'after MOVED a command goes to its new node at once; remove it',
  useSRVRecords: 'it connects to the hosts of "cluster.nodes" as they are; resolve SRV records before',
  resolveSrv: 'it connects to the hosts of "cluster.nodes" as they are; resolve SRV records before',
};

const explainCluster: Explain = (key, name) =>
  Object.hasOwn(REFUSED, key)
    ? `Option "${name}" belongs to the pool: ${REFUSED[key]}`
    : explainRefused(key, name);

const NODE_OPTION_RULES: Rules<ClusterNodeOptions> = {
  family: REDIS_OPTION_RULES.family,
  tls: REDIS_OPTION_RULES.tls,
  username: REDIS_OPTION_RULES.username,
  password: REDIS_OPTION_RULES.password,
  keepAlive: REDIS_OPTION_RULES.keepAlive,
  noDelay: REDIS_OPTION_RULES.noDelay,
  protocol: REDIS_OPTION_RULES.protocol,
  replyMapping: REDIS_OPTION_RULES.replyMapping,
  stringNumbers: REDIS_OPTION_RULES.stringNumbers,
  disconnectTimeout: REDIS_OPTION_RULES.disconnectTimeout,
};

/** Where one node is to be connected to, as "natMap" says. */
export const natAddress: Rule<Address> = (value, path) => {
  if (!isRecord(value)) throw mustBe(path, '{ host, port }', describeType(value));
  return {
    host: filledText(value.host, `${path}.host`),
    port: integer(1, 65_535)(value.port, `${path}.port`),
  };
};

const natMap: Rule<NonNullable<ClusterConnectionOptions['natMap']>> = (value, path) => {
  const map = foreign<NonNullable<ClusterConnectionOptions['natMap']>>(
    'an object or a function',
    isRecord,
    isFunction,
  )(value, path);
  for (const [name, address] of Object.entries(map)) natAddress(address, `${path}["${name}"]`);
  return map;
};

const CLUSTER_OPTION_RULES: Rules<ClusterConnectionOptions> = {
  scaleReads: foreign('"master", "slave", "all" or a function', isRole, isFunction),
  maxRedirections: integer(0, 1_000),
  retryDelayOnClusterDown: milliseconds(0),
  retryDelayOnTryAgain: milliseconds(0),
  slotsRefreshTimeout: milliseconds(1),
  slotsRefreshInterval: milliseconds(1),
  shardedSubscribers: flag,
  dnsLookup: callable(),
  natMap,
  keyPrefix: text,
  redisOptions: fields(NODE_OPTION_RULES, explainRefused),
};

const NODE_RULES: Rules<Partial<Address>> = { host: filledText, port: integer(1, 65_535) };

/** Reads one node in any of ioredis's three forms into the third. */
const node: Rule<Address> = (value, path) => {
  if (typeof value === 'string') return nodeOfUrl(value, path);
  const given = typeof value === 'number' ? { port: value } : value;
  if (!isRecord(given)) throw mustBe(path, 'a URL, a port or { host, port }', describeType(value));
  const { host = '127.0.0.1', port = 6379 } = fields(NODE_RULES)(given, path);
  return { host, port };
};

const TARGET_RULES: Rules<ClusterTarget> = {
  nodes: filledList(node),
  options: fields(CLUSTER_OPTION_RULES, explainCluster),
};

/** What the option `cluster` says, its nodes as addresses. */
export interface CheckedCluster {
  readonly nodes: readonly Address[];
  readonly options: ClusterConnectionOptions;
}

/** Reads the option `cluster`. */
export const cluster: Rule<CheckedCluster> = (value, path) => {
  const { nodes, options = {} } = fields(TARGET_RULES)(value, path);
  if (nodes === undefined) throw mustBe(`${path}.nodes`, 'a non-empty array', 'undefined');
  return { nodes: nodes as readonly Address[], options };
};

function nodeOfUrl(value: string, path: string): Address {
  const url = value.includes('://') ? value : `redis://${value}`;
  const { host, port, ...more } = parseRedisUrl(url, `Option "${path}"`);
  const [extra] = Object.keys(more);
  if (host === undefined || port === undefined || extra !== undefined) {
    throw invalidOption(
      `Option "${path}" must name host and port only: ${extra} belongs into "cluster.options.redisOptions"`,
    );
  }
  return { host, port };
}

function isRole(value: unknown): boolean {
  return value === 'master' || value === 'slave' || value === 'all';
}
