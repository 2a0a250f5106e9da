import type { Redis } from 'ioredis';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { type Difference, describeDifferences, failureOf } from './differences.js';
import { comparable } from './outcome.js';
import { type Client, LINKS, multi, pipeline, untyped } from './peers.js';
import { toCall } from './sample-group.js';
import { CALLBACKS } from './scenarios/callbacks.js';
import { PIPELINES } from './scenarios/pipelines.js';
import { SCENARIO_SEED, type Scenario } from './scenarios/scenario.js';
import { SCRIPTS } from './scenarios/scripts.js';
import { STREAMS } from './scenarios/streams.js';
import { TRANSACTIONS } from './scenarios/transactions.js';
import { useTestbed } from './testbed.js';

const SCRIPT = { lua: "return redis.call('incrby', KEYS[1], ARGV[1])", numberOfKeys: 1 };

const DIFFERENCES: readonly Difference[] = [
  {
    title: 'a script runs in a transaction also after SCRIPT FLUSH',
    reason: 'its source goes along; ioredis sends the digest and has NOSCRIPT in the tuple',
    run: async (client) => {
      client.defineCommand('addTo', SCRIPT);
      await client.addTo('num', 1);
      await client.script('FLUSH');
      const [[error, reply]] = (await multi(client).addTo('num', 1).exec()) as unknown as [
        [Error | null, unknown],
      ];
      return error?.message.split(' ')[0] ?? reply;
    },
    ioredis: 'NOSCRIPT',
    pool: 2,
  },
  {
    title: 'a script cannot take the name of a command or of a method',
    reason: 'it would change what other callers of the pool get',
    run: async (client) => {
      const define = (name: string) => failureOf(() => client.defineCommand(name, SCRIPT));
      return [await define('get'), await define('pipeline'), await define('close')];
    },
    ioredis: [undefined, undefined, undefined],
    pool: Array(3).fill('RP_ERR_INVALID_OPTION'),
  },
  {
    title: 'a batch that is no array is refused',
    reason: 'ioredis takes it for no batch, and runs nothing',
    run: (client) => failureOf(() => pipeline(client, 'get').exec()),
    ioredis: [],
    pool: 'RP_ERR_INVALID_OPTION',
  },
  {
    title: 'multi({ pipeline: false }) is refused',
    reason: 'it opens a transaction on the connection that all callers share',
    run: (client) => failureOf(() => multi(client, { pipeline: false })),
    ioredis: 'OK',
    pool: 'RP_ERR_STATEFUL_COMMAND',
  },
];

const testbed = useTestbed();
let ioredis: Redis;
let observer: Redis;

beforeAll(async () => {
  ioredis = await testbed.ioredis();
  observer = await testbed.ioredis();
});

async function resultOf({ run }: Scenario, client: Client): Promise<unknown> {
  const seed = untyped(observer.pipeline().flushall().script('FLUSH'));
  for (const sample of SCENARIO_SEED) seed.call(...toCall(sample));
  await seed.exec();
  return comparable(await run(client));
}

const SUBJECTS = {
  callbacks: CALLBACKS,
  pipelines: PIPELINES,
  transactions: TRANSACTIONS,
  scripts: SCRIPTS,
  streams: STREAMS,
};

describe.each(LINKS)('over the %s link', (link) => {
  let pool: RedisPool;

  beforeAll(async () => {
    pool = await testbed.pool(link);
  });

  describe.each(Object.entries(SUBJECTS))('%s', (_subject, scenarios) => {
    test.each(scenarios.map((scenario) => [scenario.title, scenario] as const))(
      '%s',
      async (_title, scenario) => {
        expect(await resultOf(scenario, untyped(ioredis))).toEqual(scenario.expected);
        expect(await resultOf(scenario, untyped(pool))).toEqual(scenario.expected);
      },
    );
  });
});

describeDifferences(testbed, DIFFERENCES);
