import { calledBack, numbers, rejected, replyError, type Scenario, WRONG_TYPE } from './scenario.js';

export const CALLBACKS: readonly Scenario[] = [
  {
    title: 'a callback gets the value',
    run: (client) => calledBack((callback) => client.get('str', callback)),
    expected: [null, 'hello'],
  },
  {
    title: 'a callback gets null for nothing',
    run: (client) => calledBack((callback) => client.get('missing', callback)),
    expected: [null, null],
  },
  {
    title: 'a callback gets an error reply, and nobody has to catch the promise',
    run: (client) => calledBack((callback) => client.incr('list', callback)),
    expected: [replyError(WRONG_TYPE, 'incr')],
  },
  {
    title: 'a callback may be the only argument',
    run: (client) => calledBack((callback) => client.ping(callback)),
    expected: [null, 'PONG'],
  },
  {
    title: 'a callback may follow an array, a Buffer method and call()',
    run: (client) =>
      Promise.all([
        calledBack((callback) => client.mget(['str', 'num'], callback)),
        calledBack((callback) => client.getBuffer('str', callback)),
        calledBack((callback) => client.call('GET', 'str', callback)),
        calledBack((callback) => client.hset('hash', { other: 1 }, callback)),
      ]),
    expected: [
      [null, ['hello', '1']],
      [null, Buffer.from('hello')],
      [null, 'hello'],
      [null, 1],
    ],
  },
  {
    title: 'the promise of a call with a callback resolves too, after the callback',
    run: async (client) => {
      const order: unknown[] = [];
      const promise = client.get('str', (_error: unknown, value: unknown) => order.push(['callback', value]));
      order.push(['promise', await promise]);
      return order;
    },
    expected: [
      ['callback', 'hello'],
      ['promise', 'hello'],
    ],
  },
  {
    title: 'the promise of a call with a callback rejects too',
    run: async (client) => {
      const errors: unknown[] = [];
      errors.push(await rejected(client.incr('list', (error: unknown) => errors.push(error))));
      return errors;
    },
    expected: [replyError(WRONG_TYPE, 'incr'), replyError(WRONG_TYPE, 'incr')],
  },
  {
    title: 'the promise is a plain one, of which several may wait',
    run: async (client) => {
      const promise = client.get('str') as Promise<unknown>;
      return [promise.constructor === Promise, await promise, await promise, await promise.then(String)];
    },
    expected: [true, 'hello', 'hello', 'hello'],
  },
  {
    title: 'callbacks are called in the order of the calls',
    run: async (client) => {
      const order: unknown[] = [];
      const calls = numbers(20).map((index) =>
        client.echo(index, (_: unknown, value: unknown) => order.push(value)),
      );
      await Promise.all(calls);
      return order;
    },
    expected: numbers(20).map(String),
  },
];
