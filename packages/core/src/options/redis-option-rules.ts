import {
  type Checked,
  type Explain,
  fields,
  filledList,
  filledText,
  flag,
  foreign,
  foreignObject,
  integer,
  isFunction,
  isRecord,
  milliseconds,
  oneOf,
  type Rule,
  type Rules,
  secretText,
  text,
} from './option-rules.js';
import type { RedisConnectionOptions } from './options.js';

/** Options of ioredis that decide what the pool decides, with what to use instead. */
const REFUSED: Readonly<Record<string, string>> = {
  Connector: 'it opens sockets itself; remove it',
  autoPipeliningIgnoredCommands: 'commands of one turn leave in one write already; remove it',
  autoResendUnfulfilledCommands: 'a write is never sent twice; for reads use "retryReads"',
  autoResubscribe: 'it restores subscriptions itself; remove it',
  blockingTimeout:
    "a timer here loses what a blocking command popped; use a signal or the command's own timeout",
  blockingTimeoutGrace:
    "a timer here loses what a blocking command popped; use a signal or the command's own timeout",
  clientInfoTag: 'it leaves CLIENT SETINFO out of the handshake; use "name"',
  commandQueue: 'use "maxPending"',
  commandTimeout: 'use "commandTimeoutMs"',
  connectTimeout: 'use "connectTimeoutMs"',
  connectionName: 'use "name"',
  disableClientInfo: 'it leaves CLIENT SETINFO out of the handshake; remove it',
  enableAutoPipelining: 'commands of one turn leave in one write already; remove it',
  enableOfflineQueue: 'commands wait until "commandTimeoutMs", within "maxPending"; remove it',
  enableReadyCheck: 'it checks for LOADING itself; remove it',
  himportFieldsets: 'fieldsets are state of one connection; use HIMPORT inside lease()',
  lazyConnect: 'it connects by itself; await ready() to wait for it',
  maxLoadingRetryTime: 'it checks for LOADING itself; use "reconnect"',
  maxRetriesPerRequest: 'a write is never sent twice; for reads use "retryReads"',
  monitor: 'MONITOR takes the connection over; use dedicated()',
  offlineQueue: 'use "maxPending"',
  readOnly: 'READONLY is state of one connection; use it inside lease()',
  reconnectOnError: 'it decides when a connection is replaced; remove it',
  retryStrategy: 'it replaces connections itself; use "reconnect"',
  scripts: 'use the option "scripts" beside "redis"',
  sentinelCommandTimeout: 'use "connectTimeoutMs"',
  sentinelReconnectStrategy: 'it listens to Sentinels again by itself; remove it',
  sentinelRetryStrategy: 'it asks Sentinels again by itself; use "reconnect"',
  showFriendlyErrorStack: 'it would cost each command a stack trace; remove it',
  socketTimeout: 'use "commandTimeoutMs"',
};

const SENTINEL_ADDRESS: Rules<{ host?: string; port?: number; family?: number }> = {
  host: filledText,
  port: integer(1, 65_535),
  family: oneOf(0, 4, 6),
};

/** A rule for every option of ioredis that is the user's to set. */
export const REDIS_OPTION_RULES: Rules<RedisConnectionOptions> = {
  host: filledText,
  port: integer(1, 65_535),
  family: oneOf(0, 4, 6),
  path: filledText,
  tls: foreignObject(),
  username: filledText,
  password: secretText,
  db: integer(0),
  keepAlive: milliseconds(0),
  noDelay: flag,
  keyPrefix: text,
  protocol: oneOf(2, 3),
  replyMapping: oneOf('legacy', 'resp3'),
  stringNumbers: flag,
  disconnectTimeout: milliseconds(0),
  sentinels: filledList(fields(SENTINEL_ADDRESS)),
  name: filledText,
  role: oneOf('master', 'replica', 'slave'),
  sentinelUsername: filledText,
  sentinelPassword: secretText,
  sentinelMaxConnections: integer(1, 1_000),
  sentinelTLS: foreignObject(),
  enableTLSForSentinelMode: flag,
  natMap: foreign('an object or a function', isRecord, isFunction),
  updateSentinels: flag,
  preferredSlaves: foreign('a function, an array or an object', isFunction, Array.isArray, isRecord),
  failoverDetector: flag,
};

/** Why an option of ioredis is not the user's to set. */
export const explainRefused: Explain = (key, name) =>
  Object.hasOwn(REFUSED, key) ? `Option "${name}" belongs to the pool: ${REFUSED[key]}` : undefined;

/** Reads the option `redis`. */
export const redisOptions: Rule<Checked<RedisConnectionOptions>> = fields(REDIS_OPTION_RULES, explainRefused);
