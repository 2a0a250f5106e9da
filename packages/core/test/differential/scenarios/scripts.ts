import { type AnyFunction, type Client, methodOf, multi, pipeline } from '../peers.js';
import { calledBack, rejected, replyError, type Scenario, WRONG_TYPE } from './scenario.js';

const PAIR = { lua: 'return {KEYS, ARGV}', numberOfKeys: 1 };
const COUNT_UP = { lua: "return redis.call('incrby', KEYS[1], ARGV[1])", numberOfKeys: 1 };

/** Defines scripts of this scenario only; on a pool they stay, so that each has a name of its own. */
const define = (client: Client, name: string, definition: object): AnyFunction => {
  client.defineCommand(name, definition);
  return methodOf(client, name);
};

export const SCRIPTS: readonly Scenario[] = [
  {
    title: 'a script is a method, with its Buffer variant',
    run: async (client) => {
      const pair = define(client, 'pair', PAIR);
      return [await pair('a', 'b', 3), await client.pairBuffer('a', 'b'), await pair(['a', 'b'])];
    },
    expected: [
      [['a'], ['b', '3']],
      [[Buffer.from('a')], [Buffer.from('b')]],
      [['a'], ['b']],
    ],
  },
  {
    title: 'without numberOfKeys the first argument of each call says it',
    run: (client) => {
      const anyKeys = define(client, 'anyKeys', { lua: 'return {KEYS, ARGV}' });
      return Promise.all([anyKeys(0, 'a'), anyKeys(2, 'a', 'b', 'c'), anyKeys('1', 'a')]);
    },
    expected: [
      [[], ['a']],
      [['a', 'b'], ['c']],
      [['a'], []],
    ],
  },
  {
    title: 'numberOfKeys 0 is a number of keys',
    run: (client) => define(client, 'noKeys', { lua: 'return ARGV', numberOfKeys: 0 })(1, 'a'),
    expected: ['1', 'a'],
  },
  {
    title: 'a script that only reads runs as one, and what it writes is its own business',
    run: (client) => define(client, 'reader', { ...COUNT_UP, readOnly: true })('num', 5),
    expected: 6,
  },
  {
    title: 'a script calls back, with its value or its error',
    run: async (client) => {
      const countUp = define(client, 'countUp', COUNT_UP);
      const value = await calledBack((callback) => countUp('num', 2, callback));
      const [error] = (await calledBack((callback) => countUp('list', 2, callback))) as [Error];
      return [value, error.name, error.message.includes(WRONG_TYPE)];
    },
    expected: [[null, 3], 'ReplyError', true],
  },
  {
    title: 'a script with too few keys is an error reply',
    run: (client) => rejected(define(client, 'needsKey', PAIR)()),
    expected: replyError("ERR Number of keys can't be greater than number of args", 'eval'),
  },
  {
    // In the pipeline both have to be sent once more, behind the GET.
    title: 'a script runs again after SCRIPT FLUSH, alone and in a pipeline',
    run: async (client) => {
      const up = define(client, 'upAgain', COUNT_UP);
      const replies = [
        await up('num', 1),
        await client.script('FLUSH'),
        await up('num', 1),
        await up('num', 1),
      ];
      await client.script('FLUSH');
      return [replies, await pipeline(client).upAgain('num', 1).upAgain('num', 1).get('num').exec()];
    },
    expected: [
      [2, 'OK', 3, 4],
      [
        [null, 5],
        [null, 6],
        [null, '4'],
      ],
    ],
  },
  {
    title: 'a script runs in a pipeline and in a transaction, on its first call and later ones',
    run: async (client) => {
      client.defineCommand('first', COUNT_UP);
      const chained = await pipeline(client).first('num', 1).firstBuffer('num', 1).first('list', 1).exec();
      const [[, one], [, two], [failure]] = chained as unknown as [unknown[], unknown[], Error[]];
      return [one, two, failure?.name, await multi(client).first('num', 1).first('num', 1).exec()];
    },
    expected: [
      2,
      3,
      'ReplyError',
      [
        [null, 4],
        [null, 5],
      ],
    ],
  },
  {
    title: 'a script that is first called in a transaction runs there, in array form too',
    run: async (client) => {
      client.defineCommand('inside', COUNT_UP);
      return [
        await multi(client, [['inside', 'num', 1]]).exec(),
        await pipeline(client, [['inside', 'num', 1]]).exec(),
      ];
    },
    expected: [[[null, 2]], [[null, 3]]],
  },
  {
    title: 'a script is on every chain that is made after it, with callbacks',
    run: async (client) => {
      client.defineCommand('told', COUNT_UP);
      const seen: unknown[] = [];
      const tell = (...args: unknown[]): unknown => seen.push(args);
      const results = await pipeline(client).told('num', 1, tell).toldBuffer('num', 1, tell).exec();
      return [results, seen];
    },
    expected: [
      [
        [null, 2],
        [null, 3],
      ],
      [
        [null, 2],
        [null, 3],
      ],
    ],
  },
];
