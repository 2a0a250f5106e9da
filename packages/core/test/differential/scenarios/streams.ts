import type { ScanStreamOptions } from 'ioredis';
import { type Client, methodOf } from '../peers.js';
import { numbers, rejected, replyError, type Scenario, WRONG_TYPE } from './scenario.js';

/** Everything a scan stream delivers, sorted: the server may scan in another order the next time. */
async function drained(stream: AsyncIterable<unknown[]>): Promise<unknown[]> {
  const elements: unknown[] = [];
  for await (const chunk of stream) elements.push(...chunk);
  return elements.map((element) => [String(element), Buffer.isBuffer(element)]).sort();
}

const scan = (client: Client, name: string, ...args: readonly unknown[]): Promise<unknown[]> =>
  drained(methodOf(client, name)(...args) as AsyncIterable<unknown[]>);

const plain = (elements: readonly unknown[]): unknown[] =>
  elements.map((element) => [String(element), false]).sort();
const buffers = (elements: readonly unknown[]): unknown[] =>
  elements.map((element) => [String(element), true]).sort();

const users = numbers(60).map((index) => `user:${index}`);
const members = numbers(200).map((index) => `member:${index}`);
const pairs = (names: readonly string[]): unknown[] => names.flatMap((name, index) => [name, index]);
const fields = pairs(numbers(200).map((index) => `field:${index}`));
const byUser: ScanStreamOptions = { match: 'user:*', count: 7 };
const tens = (values: readonly string[]): string[] => values.filter((value) => /:1\d$/.test(value));
const tensAndScores = (prefix: string): unknown[] =>
  numbers(10).flatMap((index) => [`${prefix}:1${index}`, 10 + index]);

export const STREAMS: readonly Scenario[] = [
  {
    title: 'scanStream() delivers every key that matches',
    run: (client) => scan(client, 'scanStream', byUser),
    expected: plain(users),
  },
  {
    title: 'scanStream() goes by type, and without options through everything',
    run: async (client) => [
      await scan(client, 'scanStream', { type: 'hash' }),
      (await scan(client, 'scanStream')).length,
    ],
    expected: [plain(['hash', 'odd', 'large']), 68],
  },
  {
    title: 'scanBufferStream() delivers Buffers',
    run: (client) => scan(client, 'scanBufferStream', byUser),
    expected: buffers(users),
  },
  {
    title: 'sscanStream() and its Buffer variant deliver members',
    run: (client) =>
      Promise.all([
        scan(client, 'sscanStream', 'set', { count: 13 }),
        scan(client, 'sscanBufferStream', Buffer.from('set'), { match: '*:1?' }),
        scan(client, 'sscanStream', 'missing'),
      ]),
    expected: [plain(members), buffers(tens(members)), []],
  },
  {
    title: 'hscanStream() and its Buffer variant deliver fields and values',
    run: (client) =>
      Promise.all([
        scan(client, 'hscanStream', 'large', { count: 13 }),
        scan(client, 'hscanBufferStream', 'large', { match: '*:1?' }),
      ]),
    expected: [plain(fields), buffers(tensAndScores('field'))],
  },
  {
    title: 'zscanStream() and its Buffer variant deliver members and scores',
    run: (client) =>
      Promise.all([
        scan(client, 'zscanStream', 'zset', { count: 13 }),
        scan(client, 'zscanBufferStream', 'zset', { match: '*:1?' }),
      ]),
    expected: [plain(pairs(members)), buffers(tensAndScores('member'))],
  },
  {
    title: 'a scan stream fails with the error reply',
    run: (client) => rejected(scan(client, 'sscanStream', 'str')),
    expected: replyError(WRONG_TYPE, 'sscan'),
  },
  {
    title: 'a scan stream of which close() is called ends with what it has',
    run: (client) =>
      new Promise((resolve) => {
        const stream = client.scanStream(byUser) as unknown as NodeJS.ReadableStream & { close(): void };
        const chunks: unknown[] = [];
        stream.on('end', () => resolve(chunks.length));
        stream.on('data', (chunk) => {
          chunks.push(chunk);
          stream.close();
        });
      }),
    expected: 1,
  },
  {
    title: 'a hash with a field __proto__ is an object with that field and the usual prototype',
    run: async (client) => {
      const hash = (await client.hgetall('odd')) as object;
      return [
        Object.entries(hash),
        Object.getPrototypeOf(hash) === Object.prototype,
        await client.hgetallBuffer('hash'),
      ];
    },
    expected: [
      [
        ['__proto__', 'p'],
        ['constructor', 'c'],
        ['plain', ''],
      ],
      true,
      { field: Buffer.from('value') },
    ],
  },
];
