import fc from 'fast-check';
import { Command, type Redis } from 'ioredis';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PoolStats } from '../../src/index.js';
import { outcomeOf, withoutLargeIntegers } from './outcome.js';
import { type Client, LINKS, type Link, methodOf, multi, pipeline, untyped } from './peers.js';
import type { Recorder } from './recorder.js';
import { useTestbed } from './testbed.js';

const numRuns = Number(process.env.FUZZ_RUNS ?? 200);

const TEXTS = ['', '\0', '\r\n', '$5\r\nhello\r\n', '\ud800', 'a\udfffb', '\ud83d', '__proto__', 'toString'];
const NUMBERS = [
  -0,
  5e-324,
  0.1 + 0.2,
  1e-7,
  1e21,
  -1e300,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -Number.MAX_VALUE,
];
/** Above 2^53 - 1 ioredis writes all digits, which `String()` does not. */
const LARGE_INTEGERS = [2 ** 53 - 1, 2 ** 53, 2 ** 60, -(2 ** 63)];
const OTHERS = [
  null,
  undefined,
  true,
  false,
  2n ** 70n,
  Symbol('symbol'),
  Symbol.iterator,
  new Date(0),
  new Date(Number.NaN),
];
const OBJECTS = [
  {},
  new Set(['a']),
  /pattern/g,
  new Error('an error'),
  { toString: () => 'own text' },
  [[], [1, [2]]],
];
const BUFFERS = [
  Buffer.alloc(0),
  Buffer.from([0xff, 0x00, 0x0d, 0x0a]),
  Buffer.alloc(200_000, 0xe9),
  new Uint8Array(3),
];
const SPECIAL_VALUES = [TEXTS, NUMBERS, LARGE_INTEGERS, OTHERS, OBJECTS, BUFFERS].flat();

const text = fc.oneof(
  { weight: 16, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 1, arbitrary: fc.nat(70_000).map((length) => 'é'.repeat(length)) },
);
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(...NUMBERS, ...LARGE_INTEGERS));
const bytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array)) },
  fc.constantFrom(...BUFFERS),
);
const scalar = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 4, arbitrary: number },
  { weight: 3, arbitrary: bytes },
  fc.constantFrom(...OTHERS),
  fc.bigInt(),
);
const record = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 8 }), scalar, {
  noNullPrototype: true,
});
const map = fc.array(fc.tuple(scalar, scalar), { maxLength: 4 }).map((entries) => new Map(entries));
const compound = fc.oneof(
  record,
  map,
  fc.array(scalar, { maxLength: 4 }),
  fc.array(fc.array(scalar, { maxLength: 3 }), { maxLength: 2 }),
  fc.constantFrom(...OBJECTS),
);
const argument = fc
  .oneof({ weight: 6, arbitrary: scalar }, { weight: 1, arbitrary: compound })
  .filter((value) => canBeText(value));

/** What cannot is thrown back at the caller; see the last test. */
function canBeText(value: unknown): boolean {
  if (value instanceof Map) return [...value].every(canBeText);
  try {
    String(value);
    return !Array.isArray(value) || value.every(canBeText);
  } catch {
    return false;
  }
}

const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 1, arbitrary: argument },
);

interface RandomCall {
  readonly method: string;
  readonly args: readonly unknown[];
}

const call = (
  methods: readonly string[],
  ...args: readonly fc.Arbitrary<unknown[]>[]
): fc.Arbitrary<RandomCall> =>
  fc.record({
    method: fc.constantFrom(...methods.flatMap((method) => [method, `${method}Buffer`])),
    args: fc.tuple(...args).map((parts) => parts.flat()),
  });
const one = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown[]> => arbitrary.map((value) => [value]);
const some = (maxLength = 5): fc.Arbitrary<unknown[]> => fc.array(argument, { maxLength });

const anyCall = fc.oneof(
  {
    weight: 4,
    arbitrary: call(['set', 'append', 'getset', 'setnx', 'incrbyfloat', 'incrby'], one(key), one(argument)),
  },
  { weight: 2, arbitrary: call(['get', 'strlen', 'hgetall', 'type', 'dump', 'echo', 'ping'], one(key)) },
  {
    weight: 3,
    arbitrary: call(['rpush', 'lpush', 'sadd', 'hmget', 'del', 'mget', 'zadd', 'geoadd'], one(key), some()),
  },
  { weight: 2, arbitrary: call(['hset', 'hmset'], one(key), one(fc.oneof(record, map))) },
  { weight: 2, arbitrary: call(['mset', 'msetnx'], one(fc.oneof(record, map))) },
  { weight: 2, arbitrary: call(['hset', 'mset', 'set', 'lrange', 'publish'], some(6)) },
  call(['eval'], fc.constant(['return ARGV', 0]), some()),
  call(['call'], one(fc.constantFrom('SET', 'set', 'HSET', 'hset', 'MSET', 'Rpush')), one(key), some(4)),
);

type How = 'alone' | 'multi' | 'pipeline';

const form = fc.constantFrom<How>('alone', 'pipeline', 'multi');

const make = (target: Client, { method, args }: RandomCall): unknown => methodOf(target, method)(...args);

function run(client: Client, calls: readonly RandomCall[], how: How): Promise<unknown> {
  if (how === 'alone') return Promise.all(calls.map((one) => outcomeOf(() => make(client, one))));
  return outcomeOf(() => {
    const chain = how === 'multi' ? multi(client) : pipeline(client);
    for (const one of calls) make(chain, one);
    return chain.exec();
  });
}

const UNUSABLE = [
  [
    'an object without a prototype',
    () => ['key', Object.create(null)],
    'Cannot convert object to primitive value',
  ],
  ['an object whose toString() throws', () => ['key', { toString: () => fail() }], 'no text'],
  [
    'an object whose toString() throws, inside an array,',
    () => [['key', { toString: () => fail() }]],
    'no text',
  ],
] as const;

function fail(): never {
  throw new Error('no text');
}

const testbed = useTestbed();
let observer: Redis;

interface Recorded {
  readonly client: Client;
  readonly recorder: Recorder;
}

let ioredis: Recorded;

beforeAll(async () => {
  observer = await testbed.ioredis();
  const recorder = await testbed.recorder();
  ioredis = { client: untyped(await testbed.ioredis({}, recorder.url)), recorder };
});

async function openRecorded(link: Link): Promise<Recorded> {
  const recorder = await testbed.recorder();
  return { client: untyped(await testbed.pool(link, {}, { url: recorder.url })), recorder };
}

/** On an empty keyspace, with nothing recorded. */
async function emptied(peer: Recorded): Promise<Recorded> {
  await observer.flushall();
  peer.recorder.take();
  return peer;
}

async function observe(peer: Recorded, calls: readonly RandomCall[], how: How): Promise<object> {
  const { client, recorder } = await emptied(peer);
  const outcomes = await run(client, calls, how);
  return { outcomes: withoutLargeIntegers(outcomes), sent: recorder.take().toString('latin1') };
}

describe.each(LINKS)('over the %s link', (link) => {
  let pool: Recorded;

  beforeAll(async () => {
    pool = await openRecorded(link);
  });

  test('each value that is special somewhere is the same bytes on the wire as in ioredis', async () => {
    for (const value of SPECIAL_VALUES) {
      const calls: RandomCall[] = [
        { method: 'set', args: ['key', value] },
        { method: 'rpush', args: ['list', 'first', value, 'last'] },
        { method: 'hset', args: ['hash', { field: value }] },
        { method: 'mset', args: [new Map([['a', value]])] },
        { method: 'echo', args: [value] },
        { method: 'call', args: ['SET', value, value] },
      ];
      expect(await observe(pool, calls, 'alone')).toStrictEqual(await observe(ioredis, calls, 'alone'));
    }
  });

  test('random calls are the same bytes on the wire and have the same replies as in ioredis', async () => {
    const property = fc.asyncProperty(
      fc.array(anyCall, { minLength: 1, maxLength: 8 }),
      form,
      async (calls, how) => {
        expect(await observe(pool, calls, how)).toStrictEqual(await observe(ioredis, calls, how));
      },
    );
    await fc.assert(property, { numRuns });
  });

  // ioredis sends such a command half prepared, or throws an error of Buffer, and leaves a rejection unhandled.
  test.each(UNUSABLE)(
    '%s throws what it threw, and nothing is sent or pending',
    async (_title, args, message) => {
      const { client, recorder } = await emptied(pool);
      expect(() => client.set(...args())).toThrow(message);
      expect(() => multi(client).set(...args())).toThrow(message);
      expect(await client.get('key')).toBe(null);
      expect(recorder.take().toString()).toBe('*2\r\n$3\r\nget\r\n$3\r\nkey\r\n');
      expect((client.stats() as PoolStats).pending).toEqual({ commands: 0, bytes: 0 });
    },
  );

  test('what an argument transformer of the application throws is thrown, and nothing is sent', async () => {
    const { client, recorder } = await emptied(pool);
    Command.setArgumentTransformer('lpushx', () => {
      throw new Error('refused by the application');
    });
    try {
      expect(() => client.lpushx('key', 'value')).toThrow('refused by the application');
    } finally {
      Command.setArgumentTransformer('lpushx', (args) => args);
    }
    expect(await client.lpushx('key', 'value')).toBe(0);
    expect(recorder.take().toString()).toBe('*3\r\n$6\r\nlpushx\r\n$3\r\nkey\r\n$5\r\nvalue\r\n');
  });
});
