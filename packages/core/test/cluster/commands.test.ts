import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { beforeEach, describe, expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import type { RedisPool } from '../../src/index.js';
import { LINKS, useLink } from '../fault/pool-harness.js';
import { keyOn, keysInSlots, openSlot, seedsOf, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 3, replicasPerMaster: 0 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

describe.each(LINKS)('over the %s link', (link) => {
  useLink(link);
  let pool: RedisPool;

  beforeEach(async () => {
    await Promise.all(cluster.current.nodes.map((node) => node.adminCommand('FLUSHALL')));
    pool = open(cluster.current);
  });

  test('commands reach the node of their key, those before the first word of the cluster too', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `k:${index}`);
    await Promise.all(keys.map((key, index) => pool.set(key, index)));
    expect(await Promise.all(keys.map((key) => pool.get(key)))).toEqual(keys.map((_, index) => `${index}`));
    const sizes = await Promise.all(cluster.current.nodes.map((node) => node.adminCommand('DBSIZE')));
    expect(sizes.every((size) => Number(size) > 10)).toBe(true);
    expect(pool.stats().redirections).toBe(0);
  });

  test('a key prefix counts for the slot', async () => {
    const prefixed = open(cluster.current, { cluster: { keyPrefix: 'app:{x}:' } });
    await prefixed.mset('a', '1', 'b', '2');
    expect(await prefixed.mget('a', 'b')).toEqual(['1', '2']);
    expect(await pool.get('app:{x}:a')).toBe('1');
    expect(prefixed.stats().redirections).toBe(0);
  });

  test('scripts, Buffers, callbacks and commands of any case go there as well', async () => {
    pool.defineCommand('bumpBy', { lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])", numberOfKeys: 1 });
    const bump = (pool as unknown as { bumpBy(key: string, by: number): Promise<number> }).bumpBy.bind(pool);
    const keys = ['a', 'b', 'c', 'd'];
    expect(await Promise.all(keys.map((key) => bump(key, 2)))).toEqual([2, 2, 2, 2]);
    expect(await Promise.all(keys.map((key) => bump(key, 3)))).toEqual([5, 5, 5, 5]);
    expect(await pool.getBuffer('a')).toEqual(Buffer.from('5'));
    expect(await pool.call('GeT', 'b')).toBe('5');
    expect(await new Promise((resolve) => pool.get('c', (_, value) => resolve(value)))).toBe('5');
  });

  test('keys of several slots throw at the call, on the pool and in chains', () => {
    const refused = expect.objectContaining({ code: 'RP_ERR_CROSS_SLOT' });
    expect(() => pool.mget('a', 'b')).toThrow(refused);
    expect(() => pool.pipeline().mget('a', 'b')).toThrow(refused);
    expect(() => pool.multi().set('a', 1).set('b', 2)).toThrow(refused);
    expect(() => pool.transaction(['a', 'b'], () => {})).toThrow(refused);
    expect(() => pool.blpop('a', 'b', 1)).toThrow(refused);
    expect(() => pool.multi().set('{t}a', 1).ping().set('{t}b', 2)).not.toThrow();
  });

  test('a pipeline over all nodes comes back in its order', async () => {
    const keys = Array.from({ length: 50 }, (_, index) => `p:${index}`);
    const pipeline = pool.pipeline();
    keys.forEach((key, index) => {
      pipeline.set(key, index).incr(key).get(key);
    });
    pipeline.ping();
    const expected = keys.flatMap((_, index) => ['OK', index + 1, `${index + 1}`]);
    expect(await pipeline.execOrThrow()).toEqual([...expected, 'PONG']);
  });

  test('transactions inside of a pipeline go each to its node', async () => {
    const results = await pool.pipeline().set('a', 1).multi().incr('b').incr('b').exec();
    expect(results).toBeDefined();
    const chain = pool.pipeline().set('a', 1).multi().incr('x').exec() as unknown as ReturnType<
      RedisPool['pipeline']
    >;
    expect(await chain.get('a').execOrThrow()).toEqual(['OK', 'OK', 'QUEUED', [1], '1']);
  });

  test('MOVED is followed, and learned from', async () => {
    const [first, second] = await cluster.current.masters();
    const [key = ''] = keysInSlots(100, 100);
    await pool.set(key, 'v');
    await cluster.current.moveSlots(first as never, second as never, { from: 100, to: 100 });
    expect(await pool.get(key)).toBe('v');
    expect(await pool.set(key, 'w')).toBe('OK');
    expect(pool.stats().redirections).toBeLessThanOrEqual(1);
    await cluster.current.moveSlots(second as never, first as never, { from: 100, to: 100 });
    expect(await pool.get(key)).toBe('w');
  });

  test('ASK is followed behind ASKING, for commands and for whole transactions', async () => {
    const [first, second] = await cluster.current.masters();
    const tag = keysInSlots(200, 200)[0] ?? '';
    const [there, here] = [`{${tag}}there`, `{${tag}}here`];
    await pool.mset(there, '1', here, '2');
    const slot = await openSlot(cluster.current, slotOfKey(there), second as never);
    try {
      await slot.move(there);
      expect(await pool.get(there)).toBe('1');
      expect(await pool.incr(there)).toBe(2);
      expect(await pool.get(here)).toBe('2');
      expect(await pool.multi().incr(there).get(there).exec()).toEqual([
        [null, 3],
        [null, '3'],
      ]);
      // Some of the keys are here and some there: TRYAGAIN, until all of them are.
      const both = pool.mget(there, here);
      const inTransaction = pool.multi().get(there).get(here).exec();
      await slot.move(here);
      expect(await both).toEqual(['3', '2']);
      expect(await inTransaction).toEqual([
        [null, '3'],
        [null, '2'],
      ]);
    } finally {
      await slot.finish();
      await cluster.current.moveSlots(second as never, first as never, { from: 200, to: 200 });
    }
    expect(await pool.mget(there, here)).toEqual(['3', '2']);
  });

  test('a transaction whose slot has moved goes again as a whole, and runs once', async () => {
    const [first, second] = await cluster.current.masters();
    const [key = ''] = keysInSlots(300, 300);
    await pool.set(key, 0);
    await cluster.current.moveSlots(first as never, second as never, { from: 300, to: 300 });
    const chain = pool.multi().incr(key).incr(key).get(key);
    expect(await chain.exec()).toEqual([
      [null, 1],
      [null, 2],
      [null, '2'],
    ]);
    await cluster.current.moveSlots(second as never, first as never, { from: 300, to: 300 });
    const again = pool.pipeline().multi().incr(key).exec() as unknown as ReturnType<RedisPool['pipeline']>;
    expect(await again.execOrThrow()).toEqual(['OK', 'QUEUED', [3]]);
  });

  test('nodes that send each other a slot are given time to agree', async () => {
    const [first, second] = await cluster.current.masters();
    if (first === undefined || second === undefined) throw new Error('too few masters');
    const [key = ''] = keysInSlots(301, 301);
    // The old owner has let go, and the new one has not heard of it.
    await first.adminCommand('CLUSTER', 'SETSLOT', 301, 'NODE', await cluster.current.idOf(second));
    const before = pool.stats().redirections;
    const write = pool.set(key, 1);
    const transaction = pool.multi().incr(`{${key}}counter`).exec();
    const watched = pool.transaction([key], (_, queue) => void queue.incr(`{${key}}watched`));
    await waitUntil(() => pool.stats().redirections - before >= 10, { what: 'redirections' });
    // Without pauses all redirections would have been used up long before.
    await sleep(300);
    await second.adminCommand('CLUSTER', 'SETSLOT', 301, 'NODE', await cluster.current.idOf(second));
    expect(await Promise.all([write, transaction, watched])).toEqual(['OK', [[null, 1]], [1]]);
    await cluster.current.moveSlots(second, first, { from: 301, to: 301 });
  });

  test('error replies pass through, alone and inside of a transaction', async () => {
    await pool.set('text', 'x');
    await expect(pool.incr('text')).rejects.toMatchObject({ name: 'ReplyError', command: { name: 'incr' } });
    const chain = pool.multi().set('text', 'y').incr('text');
    const results = await chain.exec();
    expect(results?.[0]).toEqual([null, 'OK']);
    expect(results?.[1]?.[0]).toMatchObject({ name: 'ReplyError' });
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  });
});

test('one seed is enough, and dead ones are passed over', async () => {
  const [seed] = seedsOf(cluster.current);
  const nodes = [{ host: '127.0.0.1', port: 1 }, ...(seed === undefined ? [] : [seed])];
  const pool = open(cluster.current, { nodes });
  await pool.ready();
  const key = await keyOn(cluster.current, cluster.current.nodes[2] as never);
  expect(await pool.set(key, 1)).toBe('OK');
  expect(
    pool
      .stats()
      .nodes.map(({ address }) => address)
      .sort(),
  ).toEqual(
    seedsOf(cluster.current)
      .map(({ host, port }) => `${host}:${port}`)
      .sort(),
  );
});

test('at most maxRedirections', async () => {
  const [first, second] = await cluster.current.masters();
  const [key = ''] = keysInSlots(400, 400);
  const pool = open(cluster.current, { cluster: { maxRedirections: 0 } });
  await pool.set(key, 1);
  await cluster.current.moveSlots(first as never, second as never, { from: 400, to: 400 });
  try {
    await expect(pool.get(key)).rejects.toMatchObject({
      code: 'RP_ERR_UNAVAILABLE',
      maybeExecuted: false,
      retryable: true,
      cause: expect.objectContaining({ message: expect.stringMatching(/^MOVED/) }),
    });
  } finally {
    await cluster.current.moveSlots(second as never, first as never, { from: 400, to: 400 });
  }
});
