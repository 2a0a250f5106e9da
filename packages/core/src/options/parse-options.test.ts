import { inspect } from 'node:util';
import { Redis, type RedisOptions } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isRedisPoolError } from '../errors/errors.js';
import { silentLogger } from './logger.js';
import type { RedisPoolOptions } from './options.js';
import { parseOptions } from './parse-options.js';
import {
  describeEndpoint,
  differingOptions,
  type ResolvedOptions,
  toIoredisOptions,
} from './resolved-options.js';

const SECRET = 's3cret';
const MAX = 2_147_483_647;

beforeEach(() => vi.stubEnv('REDIS_URL', undefined));
afterEach(() => vi.unstubAllEnvs());

/** Options that types may forbid, as JavaScript or a JSON file would bring them. */
function parse(input: unknown): ResolvedOptions {
  return parseOptions(input as RedisPoolOptions);
}

function messageOf(input: unknown): string {
  try {
    parse(input);
  } catch (error) {
    if (isRedisPoolError(error) && error.code === 'RP_ERR_INVALID_OPTION') return error.message;
    throw error;
  }
  throw new Error('The options were taken');
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function deepFreeze<T>(value: T): T {
  if (!isPlain(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}

function everyObjectIn(value: unknown): object[] {
  if (!isPlain(value)) return [];
  const members = Object.getOwnPropertyNames(value).filter((name) => name !== 'logger');
  return [value, ...members.flatMap((name) => everyObjectIn(Reflect.get(value, name)))];
}

describe('parseOptions without options', () => {
  it('fills in the defaults of the design', () => {
    expect(parseOptions()).toEqual({
      name: 'default',
      endpoint: { kind: 'tcp', host: '127.0.0.1', port: 6379, family: 0 },
      auth: {},
      credentials: undefined,
      db: 0,
      redis: {
        keepAlive: 30_000,
        noDelay: true,
        keyPrefix: '',
        protocol: 3,
        replyMapping: 'legacy',
        stringNumbers: false,
        disconnectTimeout: 2_000,
      },
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
      maxPending: { commands: 100_000, bytes: 67_108_864 },
      retryReads: 1,
      reconnect: { minDelayMs: 50, maxDelayMs: 5_000 },
      closeTimeoutMs: 10_000,
      scripts: {},
      logger: silentLogger,
      hooks: {},
    });
    expect(parseOptions().tls).toBeUndefined();
  });

  it('is the same for no argument, an empty object and members that are undefined', () => {
    const undefinedOnes = {
      name: undefined,
      url: undefined,
      redis: { host: undefined },
      reconnect: undefined,
    };
    expect(parseOptions({})).toEqual(parseOptions());
    expect(parseOptions(undefinedOnes)).toEqual(parseOptions());
  });

  it('takes the transport defaults from ioredis', () => {
    const { options } = new Redis({ lazyConnect: true });
    const { redis } = parseOptions();
    expect(options).toMatchObject(redis);
  });
});

describe('parseOptions', () => {
  it('keeps 0 where 0 is a value', () => {
    const options = {
      minIdleLeases: 0,
      maxWaiting: 0,
      retryReads: 0,
      heartbeatMs: 0,
      redis: { db: 0, keepAlive: 0 },
    };
    expect(parseOptions(options)).toMatchObject({
      minIdleLeases: 0,
      maxWaiting: 0,
      retryReads: 0,
      heartbeatMs: 0,
      db: 0,
    });
    expect(parseOptions(options).redis.keepAlive).toBe(0);
  });

  it('keeps the other members of a group whose one member is given', () => {
    const { maxPending, reconnect } = parseOptions({
      maxPending: { bytes: 1 },
      reconnect: { maxDelayMs: 100 },
    });
    expect(maxPending).toEqual({ commands: 100_000, bytes: 1 });
    expect(reconnect).toEqual({ minDelayMs: 50, maxDelayMs: 100 });
  });

  it('takes every number at both ends of its range', () => {
    const least = {
      lanes: 1,
      maxConnections: 2,
      leaseIdleMs: 1,
      commandTimeoutMs: 1,
      maxPending: { bytes: 1 },
    };
    const most = { maxConnections: 100_000, lanes: 99_999, commandTimeoutMs: MAX, retryReads: 100 };
    expect(parseOptions(least)).toMatchObject({ ...least, maxPending: { bytes: 1 } });
    expect(parseOptions(most)).toMatchObject(most);
  });

  it('takes functions, scripts and a logger that needs its this', () => {
    class Memory {
      readonly lines: string[] = [];
      debug(_: object, message: string) {
        this.lines.push(message);
      }
      info = this.debug;
      warn = this.debug;
      error = this.debug;
    }
    const logger = new Memory();
    const hooks = { connect: async () => {}, close: () => {} };
    const credentials = () => ({ password: SECRET });
    const scripts = { addUp: { lua: 'return 1', numberOfKeys: 0, readOnly: true } };
    const options = parseOptions({ logger, hooks, credentials, scripts });
    expect(options).toMatchObject({ hooks, scripts, credentials });
    options.logger.info({}, 'seen');
    expect(logger.lines).toEqual(['seen']);
  });

  it('reads options of a class, its getters and inherited members', () => {
    class Base {
      lanes = 2;
    }
    class Config extends Base {
      get maxConnections() {
        return 5;
      }
    }
    expect(parseOptions(new Config())).toMatchObject({ lanes: 2, maxConnections: 5 });
    expect(parseOptions(Object.create({ lanes: 3 }))).toMatchObject({ lanes: 3 });
  });

  it('does not read what somebody put on Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'lanes', { value: 7, configurable: true });
    try {
      expect(parseOptions({}).lanes).toBe(1);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'lanes');
    }
  });

  it('does not let types set what belongs to the pool', () => {
    // @ts-expect-error: refused at run time too
    const options: RedisPoolOptions = { redis: { retryStrategy: null } };
    expect(messageOf(options)).toContain('"redis.retryStrategy" belongs to the pool');
    const fromElsewhere: RedisOptions = { db: 1 };
    expect(parseOptions({ redis: fromElsewhere }).db).toBe(1);
  });
});

describe('where the server is', () => {
  it.each<[input: string | RedisPoolOptions, endpoint: object, shown: string]>([
    ['redis://h:1', { kind: 'tcp', host: 'h', port: 1, family: 0 }, 'h:1'],
    [{ url: 'redis://[::1]?family=6' }, { kind: 'tcp', host: '::1', port: 6379, family: 6 }, '[::1]:6379'],
    [{ redis: { host: 'h' } }, { kind: 'tcp', host: 'h', port: 6379, family: 0 }, 'h:6379'],
    [
      { redis: { port: 1, family: 4 } },
      { kind: 'tcp', host: '127.0.0.1', port: 1, family: 4 },
      '127.0.0.1:1',
    ],
    ['/run/r.sock', { kind: 'unix', path: '/run/r.sock' }, 'unix:/run/r.sock'],
    [{ redis: { path: 'r.sock' } }, { kind: 'unix', path: 'r.sock' }, 'unix:r.sock'],
    [
      { redis: { sentinels: [{ host: 'a' }, { port: 1 }], name: 'main', tls: {}, role: 'slave' } },
      {
        kind: 'sentinel',
        sentinels: [
          { host: 'a', port: 26_379 },
          { host: '127.0.0.1', port: 1 },
        ],
        name: 'main',
        role: 'slave',
        family: 0,
        updateSentinels: true,
        failoverDetector: true,
        enableTLSForSentinelMode: true,
      },
      'sentinel:main@a:26379,127.0.0.1:1',
    ],
    [
      { cluster: { nodes: ['redis://a:7000', 'b', 7001, { host: 'c' }], options: { scaleReads: 'slave' } } },
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 7000 },
          { host: 'b', port: 6379 },
          { host: '127.0.0.1', port: 7001 },
          { host: 'c', port: 6379 },
        ],
        family: 0,
        options: { scaleReads: 'slave' },
      },
      'cluster:a:7000,b:6379,127.0.0.1:7001,c:6379',
    ],
  ])('is read from %j', (input, endpoint, shown) => {
    const options = parseOptions(input);
    expect(options.endpoint).toEqual(endpoint);
    expect(describeEndpoint(options)).toBe(shown);
  });

  it('comes with what else the URL says', () => {
    const options = parseOptions('rediss://user:pw@h/3?protocol=2');
    expect(options).toMatchObject({ db: 3, tls: {}, redis: { protocol: 2 } });
    expect(options.auth.username).toBe('user');
    expect(options.auth.password).toBe('pw');
  });

  it('may repeat in "redis" what the URL says, and adds to it', () => {
    const tls = { servername: 'cache' };
    const options = parseOptions({
      url: 'redis://user@h/3',
      redis: { db: 3, username: 'user', password: 'pw', tls },
    });
    expect(options).toMatchObject({ db: 3, endpoint: { host: 'h' }, tls });
    expect(options.auth.password).toBe('pw');
  });

  it('takes user, TLS and protocol of a cluster from its redisOptions', () => {
    const redisOptions = {
      username: 'user',
      password: 'pw',
      tls: { servername: 'c' },
      protocol: 2,
      family: 6,
    } as const;
    const options = parseOptions({
      cluster: { nodes: [7000], options: { redisOptions, keyPrefix: 'app:' } },
    });
    expect(options).toMatchObject({ tls: { servername: 'c' }, redis: { protocol: 2, keyPrefix: 'app:' } });
    expect(options.endpoint).toMatchObject({ family: 6, options: {} });
    expect([options.auth.username, options.auth.password]).toEqual(['user', 'pw']);
  });
});

describe('REDIS_URL', () => {
  it('is the default of url', () => {
    vi.stubEnv('REDIS_URL', 'redis://env:1/2');
    expect(parseOptions()).toMatchObject({ endpoint: { host: 'env', port: 1 }, db: 2 });
    expect(parseOptions({ redis: { password: 'pw' } }).endpoint).toMatchObject({ host: 'env' });
  });

  it.each<[by: string, options: RedisPoolOptions | string]>([
    ['a URL', 'redis://h'],
    ['redis.host', { redis: { host: 'h' } }],
    ['redis.port', { redis: { port: 1 } }],
    ['redis.path', { redis: { path: '/h' } }],
    ['redis.sentinels', { redis: { sentinels: [{ host: 'h' }], name: 'main' } }],
    ['cluster', { cluster: { nodes: ['h'] } }],
  ])('is not even read when %s names the server', (_, options) => {
    vi.stubEnv('REDIS_URL', 'broken');
    expect(describeEndpoint(parseOptions(options))).not.toContain('broken');
  });

  it('is named in messages about it', () => {
    vi.stubEnv('REDIS_URL', `redis://:${SECRET}@env/1?x=1`);
    expect(messageOf({})).toBe(
      'Environment variable "REDIS_URL" must have no query parameters but db, family, protocol, not "x", ' +
        'received redis://***@env/1?***',
    );
    vi.stubEnv('REDIS_URL', `redis://:${SECRET}@env/1`);
    expect(messageOf({ redis: { db: 2 } })).toBe(
      'Options "REDIS_URL" and "redis.db" contradict each other: each has a different db',
    );
    expect(messageOf({ credentials: () => ({ password: SECRET }) })).toBe(
      'Options "credentials" and "REDIS_URL" contradict each other: a password is either asked for or fixed',
    );
  });

  it('is wrong when it is empty', () => {
    vi.stubEnv('REDIS_URL', '');
    expect(messageOf({})).toContain('"REDIS_URL" must start with redis://');
  });
});

const MS = `a whole number of milliseconds from 1 to ${MAX}`;
const contradict = (first: string, second: string, reason: string) =>
  `Options ${first} and ${second} contradict each other: ${reason}`;

const WRONG: [input: unknown, message: string][] = [
  [null, 'Options must be a URL or an object, received null'],
  [6379, 'Options must be a URL or an object, received 6379'],
  [[], 'Options must be a URL or an object, received an array'],
  ['', 'Option "url" must be a non-empty string, received an empty string'],
  [{ url: new URL('redis://h') }, 'Option "url" must be a non-empty string, received an object'],
  [{ maxConnection: 5 }, 'Unknown option "maxConnection", did you mean "maxConnections"?'],
  [{ maxConnection: undefined }, 'Unknown option "maxConnection", did you mean "maxConnections"?'],
  [{ commandTimoutMs: 5 }, 'Unknown option "commandTimoutMs", did you mean "commandTimeoutMs"?'],
  [{ host: 'h' }, 'Unknown option "host", did you mean "redis.host"?'],
  [{ retryStrategy: null }, messageAboutRetryStrategy('retryStrategy')],
  [{ redis: { retryStrategy: null } }, messageAboutRetryStrategy('redis.retryStrategy')],
  [{ maxPending: { size: 1 } }, 'Unknown option "maxPending.size", known are commands, bytes'],
  [{ maxPending: { byte: 1 } }, 'Unknown option "maxPending.byte", did you mean "maxPending.bytes"?'],
  [
    { reconnect: { minDelay: 1 } },
    'Unknown option "reconnect.minDelay", did you mean "reconnect.minDelayMs"?',
  ],
  [{ hooks: { conect() {} } }, 'Unknown option "hooks.conect", did you mean "hooks.connect"?'],
  [{ redis: { pasword: SECRET } }, 'Unknown option "redis.pasword", did you mean "redis.password"?'],
  [{ cluster: { node: [] } }, 'Unknown option "cluster.node", did you mean "cluster.nodes"?'],
  [
    { scripts: { f: { lua: 'x', readonly: true } } },
    'Unknown option "scripts.f.readonly", did you mean "scripts.f.readOnly"?',
  ],
  [{ name: 'a b' }, 'Option "name" must be 1 to 64 of A-Z a-z 0-9 _ . -, received "a b"'],
  [{ name: '' }, 'Option "name" must be 1 to 64 of A-Z a-z 0-9 _ . -, received ""'],
  [
    { name: 'x'.repeat(65) },
    `Option "name" must be 1 to 64 of A-Z a-z 0-9 _ . -, received "${'x'.repeat(64)}..."`,
  ],
  [{ lanes: 0 }, 'Option "lanes" must be an integer from 1 to 100000, received 0'],
  [{ lanes: '2' }, 'Option "lanes" must be an integer from 1 to 100000, received "2"'],
  [{ lanes: 1.5 }, 'Option "lanes" must be an integer from 1 to 100000, received 1.5'],
  [{ maxConnections: 1 }, 'Option "maxConnections" must be an integer from 2 to 100000, received 1'],
  [{ maxConnections: null }, 'Option "maxConnections" must be an integer from 2 to 100000, received null'],
  [{ minIdleLeases: -1 }, 'Option "minIdleLeases" must be an integer from 0 to 100000, received -1'],
  [{ maxWaiting: 10n }, 'Option "maxWaiting" must be an integer from 0 to 10000000, received 10n'],
  [{ retryReads: Infinity }, 'Option "retryReads" must be an integer from 0 to 100, received Infinity'],
  [{ commandTimeoutMs: 0 }, `Option "commandTimeoutMs" must be ${MS}, received 0`],
  [{ commandTimeoutMs: Infinity }, `Option "commandTimeoutMs" must be ${MS}, received Infinity`],
  [{ connectTimeoutMs: Number.NaN }, `Option "connectTimeoutMs" must be ${MS}, received NaN`],
  [
    { heartbeatMs: -1 },
    'Option "heartbeatMs" must be a whole number of milliseconds from 0 to 2147483647, received -1',
  ],
  [{ acquireTimeoutMs: MAX + 1 }, `Option "acquireTimeoutMs" must be ${MS}, received 2147483648`],
  [{ closeTimeoutMs: [] }, `Option "closeTimeoutMs" must be ${MS}, received an array`],
  [{ leaseIdleMs: {} }, `Option "leaseIdleMs" must be ${MS}, received an object`],
  [{ leaseMaxLifetimeMs: true }, `Option "leaseMaxLifetimeMs" must be ${MS}, received true`],
  [{ reconnect: { minDelayMs: 0 } }, `Option "reconnect.minDelayMs" must be ${MS}, received 0`],
  [{ reconnect: 50 }, 'Option "reconnect" must be an object, received a number'],
  [
    { maxPending: { bytes: 0 } },
    'Option "maxPending.bytes" must be an integer from 1 to 9007199254740991, received 0',
  ],
  [{ maxPending: null }, 'Option "maxPending" must be an object, received null'],
  [{ credentials: SECRET }, 'Option "credentials" must be a function, received a string'],
  [{ hooks: { close: 1 } }, 'Option "hooks.close" must be a function, received a number'],
  [
    { logger: console.log },
    'Option "logger" must be an object with debug, info, warn and error, received a function',
  ],
  [{ logger: { info() {} } }, 'Option "logger.debug" must be a function, received undefined'],
  [{ scripts: { f: 'return 1' } }, 'Option "scripts.f" must be an object, received a string'],
  [{ scripts: { f: {} } }, 'Option "scripts.f.lua" must be a non-empty string, received undefined'],
  [
    { scripts: { f: { lua: 'x', numberOfKeys: -1 } } },
    `Option "scripts.f.numberOfKeys" must be an integer from 0 to ${MAX}, received -1`,
  ],
  ...['a-b', 'then', 'constructor', '__proto__'].map((name): [unknown, string] => [
    { scripts: Object.fromEntries([[name, { lua: 'x' }]]) },
    'Option "scripts" must have command names as keys (a JavaScript identifier; not "then" or a member of every ' +
      `object), received "${name}"`,
  ]),
  [{ redis: 'redis://h' }, 'Option "redis" must be an object, received a string'],
  [{ redis: { port: '6379' } }, 'Option "redis.port" must be an integer from 1 to 65535, received "6379"'],
  [{ redis: { host: '' } }, 'Option "redis.host" must be a non-empty string, received ""'],
  [{ redis: { host: 5 } }, 'Option "redis.host" must be a non-empty string, received 5'],
  [{ redis: { db: -1 } }, `Option "redis.db" must be an integer from 0 to ${MAX}, received -1`],
  [{ redis: { family: 5 } }, 'Option "redis.family" must be 0 or 4 or 6, received 5'],
  [{ redis: { protocol: 1 } }, 'Option "redis.protocol" must be 2 or 3, received 1'],
  [{ redis: { replyMapping: 'x' } }, 'Option "redis.replyMapping" must be "legacy" or "resp3", received "x"'],
  [{ redis: { noDelay: 1 } }, 'Option "redis.noDelay" must be true or false, received 1'],
  [{ redis: { tls: true } }, 'Option "redis.tls" must be an object, received a boolean'],
  [{ redis: { tls: SECRET } }, 'Option "redis.tls" must be an object, received a string'],
  [{ redis: { password: 5 } }, 'Option "redis.password" must be a non-empty string, received a number'],
  [
    { redis: { password: '' } },
    'Option "redis.password" must be a non-empty string, received an empty string',
  ],
  [{ redis: { password: null } }, 'Option "redis.password" must be a non-empty string, received null'],
  [{ redis: { natMap: 1 } }, 'Option "redis.natMap" must be an object or a function, received a number'],
  [
    { redis: { sentinels: [] } },
    'Option "redis.sentinels" must be a non-empty array, received an empty array',
  ],
  [{ redis: { sentinels: ['h'] } }, 'Option "redis.sentinels[0]" must be an object, received a string'],
  [
    { redis: { sentinels: [{ host: `redis://:${SECRET}@h`, port: 0 }] } },
    'Option "redis.sentinels[0].port" must be an integer from 1 to 65535, received 0',
  ],
  [
    { redis: { role: `${SECRET}@` } },
    'Option "redis.role" must be "master" or "replica" or "slave", received a string that looks like a URL',
  ],
  [
    { redis: { sentinels: [{ host: 'h' }] } },
    'Option "redis.sentinels" needs "redis.name" (of the master group), which is missing',
  ],
  [{ redis: { name: 'x' } }, 'Option "redis.name" is for "redis.sentinels", which is missing'],
  [
    { redis: { sentinelPassword: SECRET } },
    'Option "redis.sentinelPassword" is for "redis.sentinels", which is missing',
  ],
  [{ cluster: {} }, 'Option "cluster.nodes" must be a non-empty array, received undefined'],
  [
    { cluster: { nodes: [true] } },
    'Option "cluster.nodes[0]" must be a URL, a port or { host, port }, received a boolean',
  ],
  [
    { cluster: { nodes: [`redis://:${SECRET}@h`] } },
    'Option "cluster.nodes[0]" must name host and port only: password belongs into "cluster.options.redisOptions"',
  ],
  [
    { cluster: { nodes: [`${SECRET}:x`] } },
    'Option "cluster.nodes[0]" must name a host and at most a port, as in redis://127.0.0.1:6379, received redis://***',
  ],
  [
    { cluster: { nodes: [1], options: { lazyConnect: true } } },
    'Option "cluster.options.lazyConnect" belongs to the pool: it connects by itself; await ready() to wait for it',
  ],
  [
    { cluster: { nodes: [1], options: { retryDelayOnFailover: 100 } } },
    'Option "cluster.options.retryDelayOnFailover" belongs to the pool: a write is never sent twice; for reads use ' +
      '"retryReads"',
  ],
  [
    { cluster: { nodes: [1], options: { retryDelayOnMoved: 100 } } },
    'Option "cluster.options.retryDelayOnMoved" belongs to the pool: after MOVED a command goes to its new node at once; ' +
      'remove it',
  ],
  ...[{ useSRVRecords: true }, { resolveSrv: () => {} }].map((options): [object, string] => [
    { cluster: { nodes: [1], options } },
    `Option "cluster.options.${Object.keys(options)[0]}" belongs to the pool: it connects to the hosts of "cluster.nodes" ` +
      'as they are; resolve SRV records before',
  ]),
  [
    { cluster: { nodes: [1], options: { scaleReads: 'all', redisOptions: { noDelai: true } } } },
    'Unknown option "cluster.options.redisOptions.noDelai", did you mean "cluster.options.redisOptions.noDelay"?',
  ],
  [{ url: 'redis://h', redis: { host: 'h' } }, contradict('"url"', '"redis.host"', 'each names the server')],
  [{ url: 'redis://h', redis: { port: 6379 } }, contradict('"url"', '"redis.port"', 'each names the server')],
  [{ url: '/h', redis: { path: '/h' } }, contradict('"url"', '"redis.path"', 'each names the server')],
  [
    { url: 'redis://h', redis: { sentinels: [{ host: 'h' }], name: 'x' } },
    contradict('"url"', '"redis.sentinels"', 'each names the server'),
  ],
  [{ url: 'redis://h', cluster: { nodes: [1] } }, contradict('"url"', '"cluster"', 'each names the server')],
  [
    { redis: { db: 1 }, cluster: { nodes: [1] } },
    contradict('"redis"', '"cluster"', 'what holds for each node goes into "cluster.options.redisOptions"'),
  ],
  [{ redis: { path: '/h', host: 'h' } }, contradict('"redis.path"', '"redis.host"', 'each names the server')],
  [
    { redis: { sentinels: [{ host: 'h' }], name: 'x', port: 1 } },
    contradict('"redis.sentinels"', '"redis.port"', 'each names the server'),
  ],
  [{ url: 'redis://h/1', redis: { db: 0 } }, contradict('"url"', '"redis.db"', 'each has a different db')],
  [
    { url: `redis://:${SECRET}@h`, redis: { password: `${SECRET}2` } },
    contradict('"url"', '"redis.password"', 'each has a different password'),
  ],
  [
    { url: 'redis://a@h', redis: { username: 'b' } },
    contradict('"url"', '"redis.username"', 'each has a different username'),
  ],
  [
    { credentials() {}, redis: { password: SECRET } },
    contradict('"credentials"', '"redis.password"', 'a password is either asked for or fixed'),
  ],
  [
    { credentials() {}, redis: { username: 'a' } },
    contradict('"credentials"', '"redis.username"', 'a username is either asked for or fixed'),
  ],
  [
    { credentials() {}, url: `redis://:${SECRET}@h` },
    contradict('"credentials"', '"url"', 'a password is either asked for or fixed'),
  ],
  [
    { credentials() {}, cluster: { nodes: [1], options: { redisOptions: { password: SECRET } } } },
    contradict(
      '"credentials"',
      '"cluster.options.redisOptions.password"',
      'a password is either asked for or fixed',
    ),
  ],
  [{ redis: { path: '/h', tls: {} } }, contradict('"redis.path"', '"redis.tls"', 'a unix socket has no tls')],
  [{ url: 'unix:///h', redis: { tls: {} } }, contradict('"url"', '"redis.tls"', 'a unix socket has no tls')],
  [{ url: '/h', redis: { family: 4 } }, contradict('"url"', '"redis.family"', 'a unix socket has no family')],
  [
    { redis: { replyMapping: 'resp3', protocol: 2 } },
    contradict('"redis.replyMapping" ("resp3")', '"redis.protocol" (2)', 'RESP3 replies need protocol 3'),
  ],
  [
    { url: 'redis://h?protocol=2', redis: { replyMapping: 'resp3' } },
    contradict('"redis.replyMapping" ("resp3")', '"url" (protocol 2)', 'RESP3 replies need protocol 3'),
  ],
  [
    { redis: { sentinels: [{ host: 'h' }], name: 'x', tls: {}, enableTLSForSentinelMode: false } },
    contradict(
      '"redis.tls"',
      '"redis.enableTLSForSentinelMode"',
      'the first is used only if the second is true',
    ),
  ],
  [
    { redis: { sentinels: [{ host: 'h' }], name: 'x', enableTLSForSentinelMode: true } },
    contradict(
      '"redis.tls"',
      '"redis.enableTLSForSentinelMode"',
      'the second is true and the first is missing',
    ),
  ],
  [
    { lanes: 20 },
    contradict(
      '"lanes" (20)',
      '"maxConnections" (20)',
      'lanes must be less, so that a connection is left for a lease',
    ),
  ],
  [
    { lanes: 2, maxConnections: 4, minIdleLeases: 3 },
    contradict(
      '"minIdleLeases" (3)',
      '"maxConnections" (4)',
      'minIdleLeases must be at most maxConnections - lanes (2)',
    ),
  ],
  [
    { reconnect: { minDelayMs: 6_000 } },
    contradict(
      '"reconnect.minDelayMs" (6000)',
      '"reconnect.maxDelayMs" (5000)',
      'minDelayMs must be at most maxDelayMs',
    ),
  ],
];

function messageAboutRetryStrategy(path: string): string {
  return `Option "${path}" belongs to the pool: it replaces connections itself; use "reconnect"`;
}

describe('wrong options', () => {
  it.each(WRONG)('are refused: %o', (input, message) => {
    expect(messageOf(input)).toBe(message);
  });

  it.each([
    ['Connector', 'it opens sockets itself'],
    ['autoPipeliningIgnoredCommands', 'one write already'],
    ['autoResendUnfulfilledCommands', '"retryReads"'],
    ['autoResubscribe', 'restores subscriptions'],
    ['blockingTimeout', 'use a signal'],
    ['blockingTimeoutGrace', 'use a signal'],
    ['clientInfoTag', 'use "name"'],
    ['commandQueue', '"maxPending"'],
    ['commandTimeout', 'use "commandTimeoutMs"'],
    ['connectTimeout', 'use "connectTimeoutMs"'],
    ['connectionName', 'use "name"'],
    ['disableClientInfo', 'CLIENT SETINFO'],
    ['enableAutoPipelining', 'one write already'],
    ['enableOfflineQueue', '"commandTimeoutMs"'],
    ['enableReadyCheck', 'LOADING'],
    ['himportFieldsets', 'inside lease()'],
    ['lazyConnect', 'await ready()'],
    ['maxLoadingRetryTime', 'LOADING'],
    ['maxRetriesPerRequest', '"retryReads"'],
    ['monitor', 'use dedicated()'],
    ['offlineQueue', '"maxPending"'],
    ['readOnly', 'inside lease()'],
    ['reconnectOnError', 'replaced'],
    ['retryStrategy', 'use "reconnect"'],
    ['scripts', 'use the option "scripts"'],
    ['showFriendlyErrorStack', 'stack trace'],
    ['socketTimeout', 'use "commandTimeoutMs"'],
  ])("include redis.%s, which is the pool's; left undefined it does no harm", (key, reason) => {
    const message = messageOf({ redis: { [key]: 1 } });
    expect(message).toContain(`Option "redis.${key}" belongs to the pool: `);
    expect(message).toContain(reason);
    expect(parse({ redis: { [key]: undefined } })).toEqual(parseOptions());
  });

  it('are refused before any of them is used: nothing is called', () => {
    const called = vi.fn();
    expect(() => parse({ credentials: called, hooks: { connect: called }, lanes: 0 })).toThrow();
    expect(called).not.toHaveBeenCalled();
  });
});

/** Every option that can hold a secret, in every shape of server. */
const WITH_SECRETS: [shape: string, options: RedisPoolOptions][] = [
  ['url', { url: `rediss://user:${SECRET}@h` }],
  ['redis', { redis: { host: 'h', password: SECRET, tls: { key: SECRET, passphrase: SECRET } } }],
  [
    'sentinel',
    {
      redis: {
        sentinels: [{ host: 'h' }],
        name: 'main',
        password: SECRET,
        sentinelPassword: SECRET,
        sentinelTLS: { key: SECRET },
      },
    },
  ],
  [
    'cluster',
    { cluster: { nodes: ['h'], options: { redisOptions: { password: SECRET, tls: { key: SECRET } } } } },
  ],
];

describe('the result', () => {
  it.each(WITH_SECRETS)('never shows a secret: %s', (_, input) => {
    const options = parseOptions(input);
    const { auth, endpoint } = options;
    for (const value of [options, { ...options }, { auth: { ...auth }, endpoint }]) {
      expect(inspect(value, { depth: 10 })).not.toContain(SECRET);
      expect(JSON.stringify(value)).not.toContain(SECRET);
      expect(`${value}`).not.toContain(SECRET);
    }
    expect(describeEndpoint(options)).not.toContain(SECRET);
    expect(options.auth.password).toBe(SECRET);
  });

  it.each(WITH_SECRETS)('is frozen throughout: %s', (_, input) => {
    const objects = everyObjectIn(
      parseOptions({ ...input, scripts: { f: { lua: 'x' } }, hooks: { close() {} } }),
    );
    expect(objects.length).toBeGreaterThan(8);
    expect(objects.filter((object) => !Object.isFrozen(object))).toEqual([]);
  });

  it.each(WITH_SECRETS)('leaves its input as it was, and does not hang on to it: %s', (_, input) => {
    const before = structuredClone(input);
    const options = parseOptions(deepFreeze(input));
    expect(input).toEqual(before);
    const given = new Set(everyObjectIn(input));
    expect(everyObjectIn(options).filter((object) => given.has(object))).toEqual([]);
  });

  it('does not change when the input changes later', () => {
    const tls = { servername: 'a' };
    const options = parseOptions({ redis: { tls } });
    tls.servername = 'b';
    expect(options.tls).toEqual({ servername: 'a' });
  });

  it('keeps Buffers and instances of classes as they are', () => {
    const ca = [Buffer.from('certificate')];
    const secureContext = new (class SecureContext {})() as never;
    const options = parseOptions({ redis: { tls: { ca, secureContext } } });
    expect(options.tls?.secureContext).toBe(secureContext);
    expect(Object.isFrozen(secureContext)).toBe(false);
    expect(options.tls?.ca).toEqual(ca);
    expect(options.tls?.ca).toContain(ca[0]);
  });
});

describe('toIoredisOptions', () => {
  it('brings the secrets that a spread would lose', () => {
    const tls = { servername: 'cache' };
    const options = parseOptions({
      redis: { host: 'h', db: 2, username: 'user', password: SECRET, tls, keyPrefix: 'a:' },
    });
    expect(toIoredisOptions(options)).toEqual({
      ...options.redis,
      host: 'h',
      port: 6379,
      family: 0,
      db: 2,
      username: 'user',
      password: SECRET,
      tls,
    });
    expect(toIoredisOptions(parseOptions('/run/r.sock'))).toMatchObject({ path: '/run/r.sock' });
  });

  it('takes what the credentials function answered', () => {
    const options = parseOptions({ credentials: () => ({ password: SECRET }) });
    expect(toIoredisOptions(options)).not.toHaveProperty('password');
    expect(toIoredisOptions(options, { password: SECRET })).toMatchObject({ password: SECRET });
  });

  it('brings everything about Sentinels, and ioredis fills in the rest', () => {
    const redis = {
      sentinels: [{ host: 'a', port: 1 }],
      name: 'main',
      sentinelUsername: 'watcher',
      sentinelPassword: SECRET,
      sentinelTLS: { servername: 's' },
      natMap: { 'a:1': { host: 'b', port: 2 } },
      preferredSlaves: [{ ip: 'a', port: '1', prio: 1 }],
    };
    const converted = toIoredisOptions(parseOptions({ redis }));
    expect(converted).toMatchObject(redis);
    expect(converted).not.toHaveProperty('kind');
    const { options } = new Redis({ ...converted, lazyConnect: true, replyMapping: 'legacy' });
    expect(options).toMatchObject({
      ...redis,
      sentinelMaxConnections: 10,
      failoverDetector: true,
      role: 'master',
    });
  });
});

describe('differingOptions', () => {
  const differing = (a: RedisPoolOptions, b: RedisPoolOptions) =>
    differingOptions(parseOptions(a), parseOptions(b));

  it.each<[a: RedisPoolOptions, b: RedisPoolOptions, names: string[]]>([
    [{}, {}, []],
    [{}, { url: 'redis://127.0.0.1' }, []],
    [{ url: 'redis://h:1/2' }, { redis: { host: 'h', port: 1, db: 2 } }, []],
    [{ url: 'redis://a' }, { url: 'redis://b' }, ['url']],
    [{ url: 'redis://a' }, { url: '/a' }, ['url']],
    [{ url: 'redis://a' }, { url: 'redis://a/1' }, ['redis.db']],
    [{ url: 'redis://a' }, { url: 'rediss://a' }, ['redis.tls']],
    [{ lanes: 2, maxWaiting: 0 }, { retryReads: 0 }, ['lanes', 'maxWaiting', 'retryReads']],
    [
      { maxPending: { bytes: 1 } },
      { reconnect: { minDelayMs: 1 } },
      ['maxPending.bytes', 'reconnect.minDelayMs'],
    ],
    [{ redis: { keyPrefix: 'a:' } }, {}, ['redis.keyPrefix']],
    [{ scripts: { f: { lua: 'a' } } }, { scripts: { f: { lua: 'b' } } }, ['scripts']],
    [{ scripts: { f: { lua: 'a' } } }, { scripts: { f: { lua: 'a' } } }, []],
    [{ cluster: { nodes: [1] } }, { cluster: { nodes: [2] } }, ['cluster']],
    [{ cluster: { nodes: [1] } }, {}, ['cluster', 'url']],
    [{ redis: { tls: { ca: Buffer.from('a') } } }, { redis: { tls: { ca: Buffer.from('a') } } }, []],
    [
      { redis: { tls: { ca: Buffer.from('a') } } },
      { redis: { tls: { ca: Buffer.from('b') } } },
      ['redis.tls'],
    ],
  ])('between %j and %j are named', (a, b, names) => {
    expect(differing(a, b).sort()).toEqual(names);
    expect(differing(b, a).sort()).toEqual(names);
  });

  it('include passwords, by name only', () => {
    const [a, b] = [{ redis: { password: SECRET } }, { redis: { password: `${SECRET}2` } }];
    expect(differing(a, b)).toEqual(['redis.password']);
    expect(differing(a, a)).toEqual([]);
    const sentinels = [{ host: 'a' }];
    const [c, d] = ['x', 'y'].map((sentinelPassword) => ({
      redis: { sentinels, name: 'm', sentinelPassword },
    }));
    expect(differing(c ?? {}, d ?? {})).toEqual(['redis.sentinels']);
  });

  it('leave functions and instances out, which cannot be compared', () => {
    const make = (): RedisPoolOptions => ({
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      hooks: { connect() {} },
      credentials: () => ({ password: SECRET }),
      redis: { tls: { checkServerIdentity: () => undefined, secureContext: new (class {})() as never } },
    });
    expect(differing(make(), make())).toEqual([]);
  });
});
