import { cluster } from './cluster-option-rules.js';
import type { Logger } from './logger.js';
import type { GivenOptions } from './option-conflicts.js';
import {
  type Checked,
  callable,
  describeType,
  describeValue,
  type Explain,
  fields,
  filledText,
  flag,
  integer,
  invalidOption,
  isFunction,
  isRecord,
  matching,
  milliseconds,
  mustBe,
  type Rule,
  type Rules,
  secretText,
} from './option-rules.js';
import type { MaxPending, PoolHooks, ReconnectOptions, ScriptDefinition } from './options.js';
import { explainRefused, REDIS_OPTION_RULES, redisOptions } from './redis-option-rules.js';

const MAX_CONNECTIONS = 100_000;
const LOG_METHODS = ['debug', 'info', 'warn', 'error'] as const;

const MAX_PENDING_RULES: Rules<MaxPending> = {
  commands: integer(1),
  bytes: integer(1, Number.MAX_SAFE_INTEGER),
};

const RECONNECT_RULES: Rules<ReconnectOptions> = { minDelayMs: milliseconds(1), maxDelayMs: milliseconds(1) };

const HOOK_RULES: Rules<PoolHooks> = {
  connect: callable(),
  acquire: callable(),
  release: callable(),
  drain: callable(),
  close: callable(),
};

const SCRIPT_RULES: Rules<ScriptDefinition> = { lua: filledText, numberOfKeys: integer(0), readOnly: flag };

const script: Rule<ScriptDefinition> = (value, path) => {
  const { lua, ...rest } = fields(SCRIPT_RULES)(value, path);
  if (lua === undefined) throw mustBe(`${path}.lua`, 'a non-empty string', 'undefined');
  return { lua, ...rest };
};

/** Each becomes a method of pools; an object with a `then` would be taken for a promise. */
const scripts: Rule<Record<string, ScriptDefinition>> = (value, path) => {
  if (!isRecord(value)) throw mustBe(path, 'an object', describeType(value));
  const entries = Object.entries(value).map(([name, given]) => {
    if (!/^[A-Za-z_$][\w$]*$/.test(name) || name in Object.prototype || name === 'then') {
      throw invalidOption(
        `Option "${path}" must have command names as keys (a JavaScript identifier; not "then" or a member of ` +
          `every object), received ${describeValue(name)}`,
      );
    }
    return [name, script(given, `${path}.${name}`)] as const;
  });
  return Object.fromEntries(entries);
};

const logger: Rule<Logger> = (value, path) => {
  if (!isRecord(value)) throw mustBe(path, 'an object with debug, info, warn and error', describeType(value));
  for (const method of LOG_METHODS) {
    if (!isFunction(value[method]))
      throw mustBe(`${path}.${method}`, 'a function', describeType(value[method]));
  }
  return value as unknown as Logger;
};

const POOL_OPTION_RULES: Rules<GivenOptions> = {
  name: matching(/^[A-Za-z0-9_.-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 _ . -'),
  url: secretText,
  redis: redisOptions,
  cluster,
  credentials: callable(),
  lanes: integer(1, MAX_CONNECTIONS),
  maxConnections: integer(2, MAX_CONNECTIONS),
  minIdleLeases: integer(0, MAX_CONNECTIONS),
  leaseIdleMs: milliseconds(1),
  leaseMaxLifetimeMs: milliseconds(1),
  laneMaxLifetimeMs: milliseconds(1),
  connectTimeoutMs: milliseconds(1),
  commandTimeoutMs: milliseconds(1),
  heartbeatMs: milliseconds(0),
  acquireTimeoutMs: milliseconds(1),
  leaseReportMs: milliseconds(0),
  maxWaiting: integer(0, 10_000_000),
  maxPending: fields(MAX_PENDING_RULES),
  retryReads: integer(0, 100),
  reconnect: fields(RECONNECT_RULES),
  closeTimeoutMs: milliseconds(1),
  scripts,
  logger,
  hooks: fields(HOOK_RULES),
};

/** Options of ioredis are known too: one level too high, or the pool's business. */
const explainMisplaced: Explain = (key, name) => {
  if (Object.hasOwn(REDIS_OPTION_RULES, key)) return `Unknown option "${name}", did you mean "redis.${key}"?`;
  return explainRefused(key, name);
};

/** Checks each option by itself; a string is short for `{ url }`. */
export function readPoolOptions(input: unknown): Checked<GivenOptions> {
  if (typeof input === 'string') return { url: secretText(input, 'url') };
  if (!isRecord(input))
    throw invalidOption(`Options must be a URL or an object, received ${describeValue(input)}`);
  return fields(POOL_OPTION_RULES, explainMisplaced)(input, '');
}
