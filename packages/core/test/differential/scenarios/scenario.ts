import type { AnyFunction, Client } from '../peers.js';
import type { Sample } from '../sample-group.js';

/** Something that an application does with a client, and what it gets. */
export interface Scenario {
  readonly title: string;
  readonly run: (client: Client) => unknown;
  /** What ioredis gives and the pool has to give; errors as `comparable()` describes them. */
  readonly expected: unknown;
}

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const SCENARIO_SEED: readonly Sample[] = [
  'set str hello',
  'set num 1',
  'rpush list a b c',
  'hset hash field value',
  ['hset', 'odd', '__proto__', 'p', 'constructor', 'c', 'plain', ''],
  ['mset', ...numbers(60).flatMap((index) => [`user:${index}`, 'x'])],
  ['sadd', 'set', ...numbers(200).map((index) => `member:${index}`)],
  ['hset', 'large', ...numbers(200).flatMap((index) => [`field:${index}`, index])],
  ['zadd', 'zset', ...numbers(200).flatMap((index) => [index, `member:${index}`])],
];

export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

export const replyError = (message: string, command?: string, rest: object = {}): object => ({
  isReplyError: true,
  name: 'ReplyError',
  message,
  ...(command === undefined ? {} : { command: { name: command } }),
  ...rest,
});

/** The arguments of the callback. */
export const calledBack = (start: (callback: AnyFunction) => unknown): Promise<unknown[]> =>
  new Promise((resolve) => {
    start((...args) => resolve(args));
  });

export const rejected = (promise: unknown): Promise<unknown> =>
  Promise.resolve(promise).then(String, (error: unknown) => error);
