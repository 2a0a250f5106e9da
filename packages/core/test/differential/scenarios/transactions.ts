import { type Chain, multi } from '../peers.js';
import { calledBack, rejected, replyError, type Scenario, WRONG_TYPE } from './scenario.js';

export const TRANSACTIONS: readonly Scenario[] = [
  {
    title: 'a transaction gives one tuple for each command, each in its own encoding',
    run: (client) =>
      multi(client).set('a', 1).getBuffer('a').hgetall('odd').zrange('zset', 0, 0, 'WITHSCORES').exec(),
    expected: [
      [null, 'OK'],
      [null, Buffer.from('1')],
      [null, JSON.parse('{"__proto__": "p", "constructor": "c", "plain": ""}')],
      [null, ['member:0', '0']],
    ],
  },
  { title: 'an empty transaction gives nothing', run: (client) => multi(client).exec(), expected: [] },
  {
    title: 'exec() of an empty transaction calls back',
    run: (client) => calledBack((callback) => multi(client).exec(callback)),
    expected: [null, []],
  },
  {
    title: 'an error when a command is queued rejects, with the errors before it',
    run: (client) => rejected(multi(client).set('a', 1).get().incr().exec()),
    expected: replyError('EXECABORT Transaction discarded because of previous errors.', 'exec', {
      previousErrors: [
        replyError("ERR wrong number of arguments for 'get' command", 'get'),
        replyError("ERR wrong number of arguments for 'incr' command", 'incr'),
      ],
    }),
  },
  {
    title: 'an error when a command is queued calls back',
    run: async (client) => {
      const seen: unknown[] = [];
      const chain = multi(client).get((...args: unknown[]) => seen.push(['get', ...args])) as Chain;
      await rejected(chain.exec((...args: unknown[]) => seen.push(['exec', String(args[0])])));
      return seen;
    },
    expected: [
      ['get', replyError("ERR wrong number of arguments for 'get' command", 'get')],
      ['exec', 'ReplyError: EXECABORT Transaction discarded because of previous errors.'],
    ],
  },
  {
    title: 'an error at run time is in its tuple, and the others have run',
    run: (client) => multi(client).incr('num').incr('list').incr('num').exec(),
    expected: [[null, 2], [replyError(WRONG_TYPE)], [null, 3]],
  },
  {
    title: 'commands of a transaction call back when they are queued, exec() with the results',
    run: async (client) => {
      const seen: unknown[] = [];
      const tell =
        (name: string) =>
        (...args: unknown[]) =>
          seen.push([name, ...args]);
      await multi(client)
        .incr('num', tell('incr'))
        .getBuffer('num', tell('get'))
        .exec(tell('exec') as never);
      return seen;
    },
    expected: [
      ['incr', null, 'QUEUED'],
      ['get', null, Buffer.from('QUEUED')],
      [
        'exec',
        null,
        [
          [null, 2],
          [null, Buffer.from('2')],
        ],
      ],
    ],
  },
  {
    title: 'a transaction takes an array of commands and has a length',
    run: async (client) => {
      const chain = multi(client, [
        ['set', 'a', 1],
        ['get', 'a'],
      ]);
      return [chain.length, await chain.strlen('a').exec(), chain.length];
    },
    expected: [
      3,
      [
        [null, 'OK'],
        [null, '1'],
        [null, 1],
      ],
      5,
    ],
  },
  {
    title: 'multi({ pipeline: true }) is multi()',
    run: (client) =>
      Promise.all([
        multi(client, { pipeline: true }).incr('num').exec(),
        multi(client, [['get', 'num']]).exec(),
      ]),
    expected: [[[null, 2]], [[null, '2']]],
  },
];
