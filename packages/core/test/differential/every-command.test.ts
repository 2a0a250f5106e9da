import { list } from '@ioredis/commands';
import type { Redis } from 'ioredis';
import { beforeAll, describe, expect, test } from 'vitest';
import { isRedisPoolError, type RedisPool } from '../../src/index.js';
import { CALL_FORMS, type CallForm, SINGLE_FORMS } from './call-forms.js';
import {
  COMPARED_ELSEWHERE,
  REFUSED_COMMANDS,
  REFUSED_SUBCOMMANDS,
  SAMPLE_GROUPS,
} from './command-samples.js';
import { type Difference, describeDifferences, failureOf } from './differences.js';
import {
  differencesBetween,
  labelOf,
  nameOf,
  type Observation,
  Observer,
  type Row,
  rowsOf,
} from './observation.js';
import { type Client, LINKS, multi, pipeline, untyped } from './peers.js';
import { type Call, type Sample, toCall } from './sample-group.js';
import { useTestbed } from './testbed.js';

const messageOf = ({ message }: Error): string => message;

const CONNECTION_METHODS = ['sendCommand', 'duplicate', 'connect', 'addBuiltinCommand', 'send_command'];

const DIFFERENCES: readonly Difference[] = [
  {
    title: 'integers near 2^53 are exact over the direct link',
    reason: 'the decoder of ioredis 6.0.0 is off by one there; the public link has its replies',
    run: (client) => client.eval('return {9007199254740991, 9007199254740989, -9007199254740991}', 0),
    ioredis: [9007199254740992, 9007199254740988, -9007199254740992],
    pool: [9007199254740991, 9007199254740989, -9007199254740991],
    poolOverPublicLink: [9007199254740992, 9007199254740988, -9007199254740992],
  },
  {
    title: 'attributes are read and left out over the direct link',
    reason:
      'ioredis 6.0.0 takes them for a protocol error and loses the connection with all that is in flight',
    run: (client) => failureOf(() => client.debug('PROTOCOL', 'attrib')),
    ioredis: 'Error: Unknown RESP type 124 "|". Please report this.',
    pool: 'Some real reply following the attribute',
    poolOverPublicLink: 'RP_ERR_CONNECTION_LOST',
  },
  {
    title: 'errors name their command without its arguments',
    reason: 'no error of the pool ever holds the arguments of a command',
    run: (client) =>
      failureOf(
        () => client.incrby('key', 'secret'),
        ({ command }) => command,
      ),
    ioredis: { name: 'incrby', args: ['key', 'secret'] },
    pool: { name: 'incrby' },
  },
  {
    title: 'an unknown command is refused without its arguments',
    reason: 'the server repeats them in its message',
    run: (client) => failureOf(() => client.call('nosuch', 'secret'), messageOf),
    ioredis: "ERR unknown command 'nosuch', with args beginning with: 'secret' ",
    pool: "ERR unknown command 'nosuch', with args beginning with: ***",
  },
  {
    title: 'a wrong modifier of ACL SETUSER is refused without it, also inside a transaction',
    reason: 'the server repeats it in its message, and it may be a password',
    run: async (client) => {
      const inTransaction: unknown = await multi(client).acl('SETUSER', 'bob', 'secret').exec();
      const [[error]] = inTransaction as [[Error]];
      return [await failureOf(() => client.acl('SETUSER', 'bob', 'secret'), messageOf), messageOf(error)];
    },
    ioredis: Array(2).fill("ERR Error in ACL SETUSER modifier 'secret': Syntax error"),
    pool: Array(2).fill("ERR Error in ACL SETUSER modifier '***': Syntax error"),
  },
  {
    title: 'error replies are instances of the exported ReplyError itself over the direct link',
    reason: 'the subclass that ioredis makes is not exported; name and instanceof are the same',
    run: (client) =>
      failureOf(
        () => client.incr(),
        (error) => [error.constructor.name, error.name],
      ),
    ioredis: ['SimpleError', 'ReplyError'],
    pool: ['ReplyError', 'ReplyError'],
    poolOverPublicLink: ['SimpleError', 'ReplyError'],
  },
  {
    title: 'a second exec() of a pipeline sends nothing',
    reason: 'a write is put on the wire once',
    run: async (client) => {
      const chain = pipeline(client).incr('counter');
      return [await chain.exec(), await chain.exec(), await client.get('counter')];
    },
    ioredis: [[[null, 1]], [[null, 1]], '2'],
    pool: [[[null, 1]], [[null, 1]], '1'],
  },
  {
    title: 'a second exec() of a transaction has the result of the first',
    reason: 'a write is put on the wire once; ioredis sends it again and has the raw replies then',
    run: async (client) => {
      const chain = multi(client).incr('counter');
      return [await chain.exec(), await chain.exec(), await client.get('counter')];
    },
    ioredis: [
      [[null, 1]],
      [
        [null, 'OK'],
        [null, 'QUEUED'],
        [null, [1]],
      ],
      '2',
    ],
    pool: [[[null, 1]], [[null, 1]], '1'],
  },
  {
    title: 'a command that is queued after exec() is refused',
    reason: 'ioredis takes it and never sends it',
    run: async (client) => {
      const chain = pipeline(client).set('key', 'value');
      const results = chain.exec();
      const late = await failureOf(() => chain.get('key') === chain);
      await results;
      return late;
    },
    ioredis: true,
    pool: 'RP_ERR_INVALID_OPTION',
  },
  {
    title: 'DISCARD ends the transaction of a chain, so that exec() sends the chain',
    reason: 'ioredis does not count it and makes exec() queue an EXEC without MULTI',
    run: async (client) => {
      const chain = pipeline(client).multi().set('key', 'value').discard().get('key');
      const results: unknown = await chain.exec();
      return results === chain ? 'only queued' : results;
    },
    ioredis: 'only queued',
    pool: [
      [null, 'OK'],
      [null, 'QUEUED'],
      [null, 'OK'],
      [null, null],
    ],
  },
  {
    title: 'a transaction has no execBuffer()',
    reason:
      'it is deprecated in ioredis, where it is exec(), and sent alone it needs an exclusive connection',
    run: (client) => failureOf(() => multi(client).setBuffer('key', 'value').execBuffer()),
    ioredis: [[null, Buffer.from('OK')]],
    pool: 'RP_ERR_STATEFUL_COMMAND',
  },
  {
    title: 'a name that is no name is refused before it is sent',
    reason: 'ioredis throws a TypeError of its inner code, or sends an empty name',
    run: (client) => Promise.all([undefined, 5, ''].map((name) => failureOf(() => client.call(name)))),
    ioredis: [
      "TypeError: Cannot read properties of undefined (reading 'toLowerCase')",
      'TypeError: commandName.toLowerCase is not a function',
      "ReplyError: ERR unknown command '', with args beginning with: ",
    ],
    pool: Array(3).fill('RP_ERR_INVALID_OPTION'),
  },
  {
    title: 'an entry of a batch that is no command is refused by name',
    reason: 'ioredis throws a TypeError of its inner code',
    run: (client) => failureOf(() => client.pipeline([['nosuch', 'key']])),
    ioredis: "TypeError: Cannot read properties of undefined (reading 'apply')",
    pool: 'RP_ERR_INVALID_OPTION',
  },
  {
    title: 'no method of ioredis that is about its connection exists',
    reason: 'connections are the business of the pool',
    run: (client) => CONNECTION_METHODS.filter((name) => name in client),
    ioredis: CONNECTION_METHODS,
    pool: [],
  },
];

const [asMethod, ...otherForms] = SINGLE_FORMS as [CallForm, ...CallForm[]];
const ROWS = SAMPLE_GROUPS.flatMap(rowsOf);
const REFUSED_NAMES = REFUSED_COMMANDS.map(nameOfSample);

const testbed = useTestbed();
let ioredis: Redis;
let samples: Observer;
let rows: readonly Row[];
let commands: readonly string[];

beforeAll(async () => {
  ioredis = await testbed.ioredis();
  const observer = await testbed.ioredis();
  samples = new Observer(observer, new Set((await observer.call('COMMAND', 'LIST')) as string[]));
  commands = list.filter((name) => samples.known.has(name));
  rows = ROWS.filter((row) => samples.known.has(nameOf(row)));
  await settleTables(observer);
});

/** The server's tables of commands and of options move into their final order, one step with each look-up. */
async function settleTables(redis: Redis): Promise<void> {
  const lookUps = redis.pipeline();
  for (let count = 0; count < 1_000; count += 1) lookUps.config('GET', 'maxmemory');
  await lookUps.exec();
}

function nameOfSample(sample: Sample): string {
  return toCall(sample)[0];
}

describe('the table of samples', () => {
  test('has each command of the server in one place: compared, refused, or compared elsewhere', () => {
    const places = [ROWS.map(nameOf), REFUSED_NAMES, Object.keys(COMPARED_ELSEWHERE)];
    const count = (name: string): number => places.filter((names) => names.includes(name)).length;
    expect(commands.filter((name) => count(name) !== 1)).toEqual([]);
    expect(places.flat().filter((name) => !list.includes(name))).toEqual([]);
  });

  test('holds no call twice', () => {
    const labels = ROWS.map((row) => `${labelOf(row)} ${JSON.stringify(row.call)}`);
    expect(labels.filter((label, index) => labels.indexOf(label) !== index)).toEqual([]);
  });
});

const ofIoredis = new Map<CallForm, Promise<Observation[]>>();

function observeIoredis(form: CallForm): Promise<Observation[]> {
  const observed = ofIoredis.get(form) ?? samples.observe(untyped(ioredis), rows, form);
  ofIoredis.set(form, observed);
  return observed;
}

describe.each(LINKS)('over the %s link', (link) => {
  const compared = new Set<string>();
  let calls = 0;
  let pool: RedisPool;

  beforeAll(async () => {
    pool = await testbed.pool(link);
  });

  test.each(CALL_FORMS.map((form) => [form.title, form] as const))(
    'every command does the same as in ioredis %s',
    async (_title, form) => {
      const expected = await observeIoredis(form);
      const received = await samples.observe(untyped(pool), rows, form);
      expect(differencesBetween(rows, expected, received)).toEqual([]);
      for (const row of rows) compared.add(nameOf(row));
      calls += rows.length;
    },
  );

  test('every command does the same as in ioredis as a method of a scope, and of a lease', async () => {
    const expected = await observeIoredis(asMethod);
    const onScope = await samples.observe(untyped(pool.scope()), rows, asMethod);
    const onLease = await pool.lease((lease) => samples.observe(untyped(lease), rows, asMethod));
    expect(differencesBetween(rows, expected, onScope)).toEqual([]);
    expect(differencesBetween(rows, expected, onLease)).toEqual([]);
    calls += 2 * rows.length;
  });

  test('no command was left out but those that are refused, and the link stayed the same', () => {
    console.log(`${link} link: ${compared.size} of ${commands.length} commands compared, in ${calls} calls`);
    const elsewhere = [...REFUSED_NAMES, ...Object.keys(COMPARED_ELSEWHERE)];
    expect([...compared].sort()).toEqual(commands.filter((name) => !elsewhere.includes(name)).sort());
    expect(pool.stats()).toMatchObject({ lostConnections: 0, lanes: [{ link, connections: 1 }] });
  });

  test('what changes or takes over its connection is refused at once, in every form', () => {
    const stateful = [...REFUSED_COMMANDS, ...REFUSED_SUBCOMMANDS].map(toCall);
    const results = stateful.flatMap((call) =>
      REFUSED_FORMS.filter(({ except }) => !except?.includes(call[0])).map(({ title, run }) => [
        `${call.join(' ')} ${title}`,
        codeOf(() => run(untyped(pool), call)),
      ]),
    );
    expect(results.filter(([, code]) => code !== 'RP_ERR_STATEFUL_COMMAND')).toEqual([]);
    expect(pool.stats().pending.commands).toBe(0);
  });
});

interface RefusedForm extends CallForm {
  /** Methods that mean something else here than the command of their name. */
  readonly except?: readonly string[];
}

const REFUSED_FORMS: readonly RefusedForm[] = [
  { ...asMethod, except: ['subscribe', 'psubscribe', 'ssubscribe'] },
  ...otherForms,
  ...SINGLE_FORMS.map(({ title, run }) => ({
    title: `${title} of a pipeline`,
    run: (client: Client, call: Call) => run(pipeline(client), call),
    except: ['exec'],
  })),
  ...SINGLE_FORMS.map(({ title, run }) => ({
    title: `${title} of a transaction`,
    run: (client: Client, call: Call) => run(multi(client), call),
    except: ['exec', 'discard'],
  })),
];

function codeOf(run: () => unknown): unknown {
  try {
    run();
    return 'not refused';
  } catch (error) {
    return isRedisPoolError(error) ? error.code : error;
  }
}

describeDifferences(testbed, DIFFERENCES);
