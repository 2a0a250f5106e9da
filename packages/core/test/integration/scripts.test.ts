import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import { callsAt, errorOf, LINKS, useLink, usePools } from '../fault/pool-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('SCRIPT', 'FLUSH');
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy = await startFaultProxy({ target: server });
});
afterEach(() => proxy.close());

/** What the scripts below add to pools and chains. */
interface Scripts<Result> {
  addTo(key: string, amount: number): Result;
  addToBuffer(key: string, amount: number): Result;
  addAny(...args: (string | number)[]): Result;
  readOne(key: string): Result;
  failing(): Result;
}

const scripts: RedisPoolOptions['scripts'] = {
  addTo: { lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])", numberOfKeys: 1 },
  addAny: { lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" },
  readOne: { lua: "return redis.call('GET', KEYS[1])", numberOfKeys: 1, readOnly: true },
  failing: { lua: "return redis.error_reply('MINE it failed')", numberOfKeys: 0 },
};

type ScriptChain = Scripts<ScriptChain> & {
  get(key: string): ScriptChain;
  exec(): Promise<[Error | null, unknown][]>;
};
type ScriptPool = RedisPool & Scripts<Promise<unknown>>;

function open(options: RedisPoolOptions = {}): ScriptPool {
  const reconnect = { minDelayMs: 1, maxDelayMs: 5 };
  return openPool({ url: proxy.url, scripts, reconnect, ...options }) as ScriptPool;
}

const chainOf = (pool: ScriptPool) => pool.pipeline() as unknown as ScriptChain;
const multiOf = (pool: ScriptPool) => pool.multi() as unknown as ScriptChain;

describe.each(LINKS)('scripts over the %s link', (link) => {
  useLink(link);

  test('send their source once on a connection, and their digest from then on', async () => {
    const pool = open();
    expect(await pool.addTo('key', 1)).toBe(1);
    expect(await Promise.all([pool.addTo('key', 1), pool.addTo('key', 1), pool.addAny(1, 'key', 1)])).toEqual(
      [2, 3, 4],
    );
    expect(await pool.addAny(1, 'key', 1)).toBe(5);
    expect(await callsAt(server, 'eval')).toBe(2);
    expect(await callsAt(server, 'evalsha')).toBe(3);
    expect(await errorOf(pool.failing())).toMatchObject({ name: 'ReplyError', message: 'MINE it failed' });
  });

  test('go on after SCRIPT FLUSH, each call running exactly once', async () => {
    const pool = open();
    await pool.addTo('key', 1);
    await server.adminCommand('SCRIPT', 'FLUSH');
    const replies = await Promise.all(Array.from({ length: 50 }, () => pool.addTo('key', 1)));
    expect(new Set(replies)).toEqual(new Set(Array.from({ length: 50 }, (_, index) => index + 2)));
    expect(await pool.get('key')).toBe('51');
    expect(pool.stats().errorReplies).toBe(0);
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
    expect(await pool.addTo('key', 1)).toBe(52);
  });

  test('work in a pipeline, the first time, later, and after SCRIPT FLUSH', async () => {
    const pool = open();
    for (let round = 0; round < 3; round += 1) {
      const results = await chainOf(pool).addTo('key', 1).addTo('other', 1).addTo('key', 1).exec();
      expect(results).toEqual([
        [null, round * 2 + 1],
        [null, round + 1],
        [null, round * 2 + 2],
      ]);
      if (round === 1) await server.adminCommand('SCRIPT', 'FLUSH');
    }
  });

  test('work in a transaction, also after SCRIPT FLUSH', async () => {
    const pool = open();
    for (let round = 0; round < 3; round += 1) {
      if (round === 2) await server.adminCommand('SCRIPT', 'FLUSH');
      const results = await multiOf(pool).addTo('key', 1).addTo('key', 1).exec();
      expect(results).toEqual([
        [null, round * 2 + 1],
        [null, round * 2 + 2],
      ]);
    }
    expect(await pool.addTo('key', 1)).toBe(7);
  });

  test('work on a new connection, to a server that has forgotten them', async () => {
    const pool = open();
    await pool.addTo('key', 1);
    await server.adminCommand('SCRIPT', 'FLUSH');
    proxy.reset();
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'the connection is lost' });
    expect(await pool.addTo('key', 1)).toBe(2);
    expect(await pool.addTo('key', 1)).toBe(3);
    expect(await callsAt(server, 'eval')).toBe(2);
  });

  test('are sent again after a lost connection only when they read', async () => {
    const pool = open({ retryReads: 1 });
    await pool.set('key', 'v'.repeat(300_000));
    proxy.stallAfter(100_000, 'toClient');
    const read = pool.readOne('key');
    await waitUntil(async () => (await callsAt(server, 'eval')) === 1, { what: 'the server ran it' });
    proxy.reset();
    await waitUntil(async () => (await callsAt(server, 'eval')) === 2, { what: 'it was sent again' });
    await proxy.heal();
    expect(String(await read)).toHaveLength(300_000);
    proxy.swallowReplies();
    const write = errorOf(pool.addTo('count', 1));
    await waitUntil(async () => (await server.adminCommand('GET', 'count')) === '1', {
      what: 'the server ran it',
    });
    await proxy.heal();
    expect(await write).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
    expect(await pool.get('count')).toBe('1');
  });

  test('answer Buffers where asked, and take a key prefix', async () => {
    const pool = open({ redis: { keyPrefix: 'app:' } });
    expect(await pool.addTo('key', 5)).toBe(5);
    expect(await server.adminCommand('GET', 'app:key')).toBe('5');
    expect(await (pool as unknown as Scripts<Promise<unknown>>).addToBuffer('key', 1)).toBe(6);
    const echo = { lua: 'return {KEYS[1], ARGV[1]}', numberOfKeys: 1 };
    pool.defineCommand('echoBoth', echo);
    const { echoBoth, echoBothBuffer } = pool as unknown as Record<
      string,
      (...args: string[]) => Promise<unknown>
    >;
    expect(await echoBoth?.call(pool, 'key', 'argument')).toEqual(['app:key', 'argument']);
    expect(await echoBothBuffer?.call(pool, 'key', 'argument')).toEqual([
      Buffer.from('app:key'),
      Buffer.from('argument'),
    ]);
  });

  test('that are defined later exist on the pool, its other handles, new scopes and new chains', async () => {
    const pool = open();
    pool.defineCommand('later', { lua: 'return 1', numberOfKeys: 0 });
    const later = (target: unknown) => (target as { later(): Promise<unknown> }).later();
    expect(await later(pool)).toBe(1);
    expect(await later(pool.scope())).toBe(1);
    expect(await (later(pool.pipeline()) as unknown as ScriptChain).exec()).toEqual([[null, 1]]);
    for (const name of [
      'get',
      'getBuffer',
      'close',
      'pipeline',
      'not valid',
      'then',
      'length',
      'execOrThrow',
    ]) {
      expect(() => pool.defineCommand(name, { lua: 'return 1' })).toThrow(
        expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
      );
    }
  });
});
