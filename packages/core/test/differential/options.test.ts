import { Command, type Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisConnectionOptions } from '../../src/options/options.js';
import { IN_PIPELINE } from './call-forms.js';
import { SAMPLE_GROUPS } from './command-samples.js';
import { type Difference, describeDifferences } from './differences.js';
import { differencesBetween, nameOf, type Observation, Observer, type Row, rowsOf } from './observation.js';
import { outcomeOf, withRoundedDoubles } from './outcome.js';
import { type Client, LINKS, type Link, untyped } from './peers.js';
import type { SampleGroup } from './sample-group.js';
import { HASHES, LISTS } from './samples/collections.js';
import { KEYS, KEYSPACE } from './samples/keys.js';
import { FUNCTIONS, SCRIPTS } from './samples/scripts.js';
import { CONNECTIONS, SERVER, SLOW_LOG } from './samples/server.js';
import { GEO, SORTED_SETS } from './samples/sorted-sets.js';
import { STREAMS } from './samples/streams.js';
import { STRINGS } from './samples/strings.js';
import { useTestbed } from './testbed.js';

const ON_DATA = SAMPLE_GROUPS.filter((group) => ![SERVER, SLOW_LOG, CONNECTIONS].includes(group));

interface Variant {
  readonly title: string;
  readonly options: RedisConnectionOptions;
  /** Where the option shows. */
  readonly groups: readonly SampleGroup[];
  readonly transformers?: Transformers;
  /** What both observations have to be like before they can be equal, and on which link. */
  readonly normalise?: Partial<Record<Link, (value: unknown) => unknown>>;
}

type Transform = (value: unknown, context?: unknown) => unknown;
type Transformers = Readonly<Record<'argument' | 'reply', Readonly<Record<string, Transform>>>>;

/** Set by an application for itself, over the ones of ioredis and beside them, by the exact name of a call. */
const OWN_TRANSFORMERS: Transformers = {
  argument: {
    set: (args) => (args as unknown[]).map((arg, index) => (index === 1 ? `<${arg}>` : arg)),
    hset: (args) => (args as unknown[]).flatMap((arg) => (arg instanceof Map ? ['map', 'seen'] : [arg])),
    lpush: (args) => [(args as unknown[])[0], 1.5, true, null, Buffer.from([0xff])],
    GET: () => ['num'],
    eval: (args) => (args as unknown[]).slice(0, 2),
  },
  reply: {
    get: (reply, context) => ({ reply, context }),
    hgetall: (reply) => (Array.isArray(reply) ? new Map([reply as [string, string]]) : reply),
    lrange: (reply) => Array.isArray(reply) && [...reply].reverse(),
    MGET: (reply, context) => [reply, context],
    strlen: () => {
      throw new Error('refused by the application');
    },
    zrange: (reply, context) => ({ ...(context as object), reply }),
  },
};

const WITH_MAPS_AND_DOUBLES = [HASHES, SORTED_SETS, GEO, STREAMS, SCRIPTS, FUNCTIONS, SERVER];

const VARIANTS: readonly Variant[] = [
  { title: 'a key prefix', options: { keyPrefix: 'app:{ü}:' }, groups: ON_DATA },
  {
    title: 'replyMapping resp3',
    options: { replyMapping: 'resp3' },
    groups: WITH_MAPS_AND_DOUBLES,
    normalise: { direct: withRoundedDoubles },
  },
  { title: 'protocol 2', options: { protocol: 2 }, groups: WITH_MAPS_AND_DOUBLES },
  { title: 'stringNumbers', options: { stringNumbers: true }, groups: ON_DATA },
  {
    title: 'stringNumbers and replyMapping resp3',
    options: { stringNumbers: true, replyMapping: 'resp3' },
    groups: [SORTED_SETS, STREAMS, SCRIPTS],
  },
  {
    title: 'database 3 and a key prefix',
    options: { db: 3, keyPrefix: 'p' },
    groups: [STRINGS, KEYS, KEYSPACE, LISTS],
  },
  {
    title: 'transformers of the application',
    options: {},
    groups: [STRINGS, HASHES, LISTS, SORTED_SETS, SCRIPTS],
    transformers: OWN_TRANSFORMERS,
  },
];

const DIFFERENCES: readonly Difference[] = [
  {
    title: 'doubles with replyMapping resp3 are exact over the direct link',
    reason: 'the decoder of ioredis 6.0.0 gets their last digit wrong',
    options: { replyMapping: 'resp3' },
    run: async (client) => {
      await client.zadd('key', 0.1 + 0.2, 'sum');
      return client.zscore('key', 'sum');
    },
    ioredis: 0.3000000000000001,
    pool: 0.30000000000000004,
    poolOverPublicLink: 0.3000000000000001,
  },
];

const testbed = useTestbed();
const OWN_SCRIPTS = {
  keysAndArguments: { lua: 'return {KEYS, ARGV}', numberOfKeys: 2 },
  anyKeys: { lua: 'return {KEYS, ARGV}' },
  noKeys: { lua: 'return {#KEYS, ARGV[1], 3.7}', numberOfKeys: 0 },
} as const;

describe.each(VARIANTS.map((variant) => [variant.title, variant] as const))('with %s', (_title, variant) => {
  const { options, groups, transformers, normalise = {} } = variant;
  let ioredis: Redis;
  let samples: Observer;
  let rows: readonly Row[];
  let expected: readonly Observation[];

  // The observer seeds with the same options, so that prefix and database are the same.
  beforeAll(async () => {
    ioredis = await testbed.ioredis(options as RedisOptions);
    const observer = await testbed.ioredis(options as RedisOptions);
    samples = new Observer(observer, new Set((await observer.call('COMMAND', 'LIST')) as string[]));
    rows = groups.flatMap(rowsOf).filter((row) => samples.known.has(nameOf(row)));
  });

  if (transformers !== undefined) useTransformers(transformers);

  beforeAll(async () => {
    expected = await samples.observe(untyped(ioredis), rows, IN_PIPELINE);
  });

  test.each(LINKS)('its commands do the same as in ioredis over the %s link', async (link) => {
    const pool = await testbed.pool(link, options);
    const received = await samples.observe(untyped(pool), rows, IN_PIPELINE);
    const same = normalise[link] ?? ((value: unknown) => value);
    const both = [expected, received].map((observations) => same(observations) as Observation[]) as [
      Observation[],
      Observation[],
    ];
    expect(differencesBetween(rows, ...both)).toEqual([]);
    expect(new Set(rows.map(nameOf)).size).toBeGreaterThanOrEqual(40);
  });

  test.each(LINKS)('scripts do the same as in ioredis over the %s link', async (link) => {
    const pool = await testbed.pool(link, options);
    for (const [name, script] of Object.entries(OWN_SCRIPTS)) {
      pool.defineCommand(name, script);
      ioredis.defineCommand(name, script);
    }
    expect(await callScripts(untyped(pool))).toEqual(await callScripts(untyped(ioredis)));
  });
});

function callScripts(client: Client): Promise<unknown> {
  const calls = [
    () => client.keysAndArguments('a', Buffer.from('b'), 'c', 4),
    () => client.keysAndArgumentsBuffer(['a', 'b'], null),
    () => client.anyKeys(1, 'a', 'b'),
    () => client.anyKeys(0),
    () => client.noKeys('a'),
  ];
  return Promise.all(calls.map(outcomeOf));
}

/** For the tests of the block that it is called in; ioredis's own come back after them. */
function useTransformers(own: Transformers): void {
  const { _transformer: registered } = Command as unknown as {
    _transformer: Record<'argument' | 'reply', Record<string, Transform | undefined>>;
  };
  const before = { argument: { ...registered.argument }, reply: { ...registered.reply } };
  beforeAll(() => {
    for (const [name, change] of Object.entries(own.argument))
      Command.setArgumentTransformer(name, change as never);
    for (const [name, change] of Object.entries(own.reply)) Command.setReplyTransformer(name, change);
  });
  afterAll(() => {
    for (const kind of ['argument', 'reply'] as const) {
      for (const name of Object.keys(own[kind])) delete registered[kind][name];
      Object.assign(registered[kind], before[kind]);
    }
  });
}

describeDifferences(testbed, DIFFERENCES);
