import { type Chain, multi, pipeline } from '../peers.js';
import { calledBack, numbers, replyError, type Scenario, WRONG_TYPE } from './scenario.js';

export const PIPELINES: readonly Scenario[] = [
  {
    title: 'a pipeline gives one tuple for each command, with the error of its own',
    run: (client) => pipeline(client).get('str').incr('list').getBuffer('str').hgetall('hash').exec(),
    expected: [
      [null, 'hello'],
      [replyError(WRONG_TYPE, 'incr')],
      [null, Buffer.from('hello')],
      [null, { field: 'value' }],
    ],
  },
  { title: 'an empty pipeline gives nothing', run: (client) => pipeline(client).exec(), expected: [] },
  {
    title: 'a pipeline has a length, and is what each of its methods returns',
    run: async (client) => {
      const chain = pipeline(client);
      const same = [chain.set('a', 1) === chain, chain.call('GET', 'a') === chain, chain.length];
      return [...same, await chain.exec(), chain.length];
    },
    expected: [
      true,
      true,
      2,
      [
        [null, 'OK'],
        [null, '1'],
      ],
      2,
    ],
  },
  {
    title: 'commands of a pipeline have callbacks, which are called in order and before that of exec()',
    run: async (client) => {
      const order: unknown[] = [];
      const tell =
        (name: string) =>
        (...args: unknown[]) =>
          order.push([name, ...args]);
      await pipeline(client)
        .set('a', 1, tell('set'))
        .incr('list', tell('incr'))
        .getBuffer('a', tell('get'))
        .exec(tell('exec') as never);
      return order;
    },
    expected: [
      ['set', null, 'OK'],
      ['incr', replyError(WRONG_TYPE, 'incr')],
      ['get', null, Buffer.from('1')],
      ['exec', null, [[null, 'OK'], [replyError(WRONG_TYPE, 'incr')], [null, Buffer.from('1')]]],
    ],
  },
  {
    title: 'exec() of an empty pipeline calls back',
    run: (client) => calledBack((callback) => pipeline(client).exec(callback)),
    expected: [null, []],
  },
  {
    title: 'a pipeline takes an array of commands, to which more may be added',
    run: async (client) => {
      const called: unknown[] = [];
      const batch = [
        ['set', 'a', 1],
        ['get', 'a', (...args: unknown[]) => called.push(args)],
        ['mget', ['a', 'str']],
      ];
      const chain = pipeline(client, batch);
      return [chain.length, await chain.getBuffer('a').exec(), called];
    },
    expected: [
      3,
      [
        [null, 'OK'],
        [null, '1'],
        [null, ['1', 'hello']],
        [null, Buffer.from('1')],
      ],
      [[null, '1']],
    ],
  },
  {
    title: 'a pipeline may hold a transaction, whose first exec() only ends it',
    run: async (client) => {
      const chain = pipeline(client).get('str').multi().hgetall('hash').getBuffer('str') as Chain;
      const ended = chain.exec();
      return [ended === chain, chain.length, await chain.get('num').exec()];
    },
    expected: [
      true,
      5,
      [
        [null, 'hello'],
        [null, 'OK'],
        [null, 'QUEUED'],
        [null, Buffer.from('QUEUED')],
        [null, [{ field: 'value' }, Buffer.from('hello')]],
        [null, '1'],
      ],
    ],
  },
  {
    title: 'a pipeline may hold two transactions, one of which fails',
    run: (client) =>
      pipeline(client).multi().incr('num').exec().multi().incr('list').get().exec().get('num').exec(),
    expected: [
      ...[
        [null, 'OK'],
        [null, 'QUEUED'],
        [null, [2]],
        [null, 'OK'],
        [null, 'QUEUED'],
      ],
      [replyError("ERR wrong number of arguments for 'get' command", 'get')],
      [replyError('EXECABORT Transaction discarded because of previous errors.', 'exec')],
      [null, '2'],
    ],
  },
  {
    title: 'two pipelines and single commands keep their order',
    run: (client) =>
      Promise.all([
        client.append('log', 1),
        pipeline(client).append('log', 2).append('log', 3).exec(),
        client.append('log', 4),
        multi(client).append('log', 5).get('log').exec(),
        client.get('log'),
      ]),
    expected: [
      1,
      [
        [null, 2],
        [null, 3],
      ],
      4,
      [
        [null, 5],
        [null, '12345'],
      ],
      '12345',
    ],
  },
  {
    title: 'a pipeline of a thousand commands comes back in order',
    run: async (client) => {
      const chain = pipeline(client);
      for (const index of numbers(1_000)) chain.echo(index);
      const results = (await chain.exec()) as unknown as [null, string][];
      return results.every(([, reply], index) => reply === String(index));
    },
    expected: true,
  },
];
