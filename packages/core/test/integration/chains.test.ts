import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, usePools } from '../fault/pool-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const INVALID = { code: 'RP_ERR_INVALID_OPTION' };

/** Methods of a chain that are no commands. */
const NO_COMMANDS = ['constructor', 'execute', 'addEntries', 'addScript', 'execOrThrow', 'toString'];

/** What an untyped caller can pass. */
const WRONG: readonly [value: unknown, message: string][] = [
  [null, 'Option "commands" must be an array of commands, received null'],
  ['get', 'Option "commands" must be an array of commands, received "get"'],
  [{}, 'Option "commands" must be an array of commands, received an object'],
  [
    [['get', 'a'], null],
    'Option "commands[1]" must be an array of the name of a command and its arguments, received null',
  ],
  [
    ['s3cret'],
    'Option "commands[0]" must be an array of the name of a command and its arguments, received a string',
  ],
  [
    [['no.such', 's3cret']],
    'Option "commands[0]" must be an array of the name of a command and its arguments, received an array without the name of one',
  ],
  ...NO_COMMANDS.map((name): [unknown, string] => [
    [
      ['get', 'a'],
      [name, 's3cret'],
    ],
    'Option "commands[1]" must be an array of the name of a command and its arguments, received an array without the name of one',
  ]),
];

describe.each(['pool', 'lease'])('a chain of a %s', (kind) => {
  test('is refused at once for what is no list of commands', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const client = kind === 'pool' ? pool : lease;
    for (const [value, message] of WRONG) {
      expect(() => client.pipeline(value as [])).toThrow(expect.objectContaining({ ...INVALID, message }));
    }
    for (const value of [null, 'get', 1]) {
      expect(() => client.multi(value as unknown as [])).toThrow(
        expect.objectContaining({
          ...INVALID,
          message: expect.stringMatching(/"commands" must be .+ received/),
        }),
      );
    }
    await lease.release();
  });

  test('refuses MULTI inside MULTI, and stays the transaction that it was', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const client = kind === 'pool' ? pool : lease;
    const multi = client.multi().set('a', 1);
    expect(() => multi.multi()).toThrow(
      expect.objectContaining({ ...INVALID, message: expect.stringContaining('does not nest') }),
    );
    expect(await multi.set('b', 2).exec()).toEqual([
      [null, 'OK'],
      [null, 'OK'],
    ]);
    await client.del('n');
    const pipeline = client.pipeline().multi().incr('n');
    expect(() => pipeline.multi()).toThrow(expect.objectContaining(INVALID));
    // One behind the other is no nesting.
    pipeline.exec();
    pipeline.multi().incr('n').exec();
    expect(await pipeline.exec()).toHaveLength(6);
    expect(await client.get('n')).toBe('2');
    await lease.release();
  });
});

test('a MULTI that a lease sends alone is still refused by the server when it is sent twice', async () => {
  const pool = openPool({ url: server.url });
  await pool.lease(async (lease) => {
    await lease.multi({ pipeline: false });
    expect(await errorOf(lease.multi({ pipeline: false }))).toMatchObject({ name: 'ReplyError' });
    await lease.discard();
  });
});
