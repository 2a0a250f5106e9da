import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { codeOf, errorOf } from '../lease/lease-harness.js';
import { keysInSlots, openSlot, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

async function twoMasters(): Promise<[RedisServer, RedisServer]> {
  return (await cluster.current.masters()).slice(0, 2) as [RedisServer, RedisServer];
}

test('a lease is a connection to the node of its key, and without a key none is had', async () => {
  const pool = open(cluster.current);
  expect(() => pool.lease(() => {})).toThrow(expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }));
  expect(() => pool.acquire()).toThrow(/"key" is missing/);
  expect(() => pool.writeDurably(() => {}, { replicas: 1, timeoutMs: 100 })).toThrow(/"key" is missing/);
  for (const key of keysInSlots(0, 0).concat(keysInSlots(9_000, 9_000), keysInSlots(16_000, 16_000))) {
    expect(await pool.lease((lease) => lease.incr(key), { key })).toBe(1);
    const held = await pool.acquire({ key });
    expect(await held.get(key)).toBe('1');
    await held.release();
  }
  const written = await pool.writeDurably((queue) => queue.set('{d}a', 1).set('{d}b', 2), {
    ...{ key: '{d}', replicas: 1, timeoutMs: 5_000 },
  });
  expect(written).toEqual({ replies: ['OK', 'OK'], replicas: 1 });
});

test('blocking commands wait at the node of their key', async () => {
  const pool = open(cluster.current);
  const keys = keysInSlots(1, 1).concat(keysInSlots(9_001, 9_001), keysInSlots(16_001, 16_001));
  const waits = keys.map((key) => pool.blpop(key, 10));
  await waitUntil(() => pool.stats().leases.blocking === 3, { what: 'all of them wait' });
  for (const key of keys) await pool.rpush(key, `for ${key}`);
  expect(await Promise.all(waits)).toEqual(keys.map((key) => [key, `for ${key}`]));
  expect(await pool.blpop(keys[0] as string, 0.05)).toBeNull();
  const chain = pool
    .pipeline()
    .rpush(keys[0] as string, 1)
    .blpop(keys[0] as string, 1)
    .set(keys[1] as string, 'x');
  await pool.del(keys[1] as string);
  expect((await chain.execOrThrow()).slice(0, 2)).toEqual([1, [keys[0], '1']]);
});

test('a wait goes on at the new node when the slot moves, with what is left of its time', async () => {
  const pool = open(cluster.current);
  const [key = ''] = keysInSlots(20, 20);
  const [first, second] = await twoMasters();
  const wait = pool.blpop(key, 20);
  await waitUntil(() => pool.stats().leases.blocking === 1, { what: 'it waits' });
  await cluster.current.moveSlots(first, second, { from: 20, to: 20 });
  await pool.rpush(key, 'there');
  expect(await wait).toEqual([key, 'there']);
  const short = await pool.blpop(key, 0.2);
  expect(short).toBeNull();
  // The first call of another pool goes to where the slot was, for one that has not heard of it.
  await cluster.current.moveSlots(second, first, { from: 20, to: 20 });
  const next = pool.blpop(key, 20);
  await pool.rpush(key, 'back');
  expect(await next).toEqual([key, 'back']);
});

test('a wait is cancelled wherever it is', async () => {
  const pool = open(cluster.current);
  const scope = pool.scope();
  const wait = errorOf(scope.blpop('cancelled', 0) as Promise<unknown>);
  await waitUntil(() => pool.stats().leases.blocking === 1, { what: 'it waits' });
  scope.end({ hungUp: true });
  expect((await wait).name).toBe('AbortError');
  expect(await pool.rpush('cancelled', 'kept')).toBe(1);
  expect(await pool.lrange('cancelled', 0, -1)).toEqual(['kept']);
});

test('a transaction follows its slot and runs once', async () => {
  const pool = open(cluster.current);
  const tag = keysInSlots(30, 30)[0] ?? '';
  const [stock, sold] = [`{${tag}}stock`, `{${tag}}sold`];
  await pool.mset(stock, '5', sold, '0');
  const [first, second] = await twoMasters();
  const buy = () =>
    pool.transaction([stock, sold], async (read, queue) => {
      expect(Number(await read.get(stock))).toBeGreaterThan(0);
      queue.decr(stock).incr(sold);
    });
  expect(await buy()).toEqual([4, 1]);
  await cluster.current.moveSlots(first, second, { from: 30, to: 30 });
  expect(await buy()).toEqual([3, 2]);
  // On its way: the keys are there already, which a lease cannot ask for; it waits until all of it is there.
  const slot = await openSlot(cluster.current, slotOfKey(stock), first);
  await slot.move(stock, sold);
  const during = buy();
  await slot.finish();
  expect(await during).toEqual([2, 3]);
});

test('close() ends waits at all nodes, within its time', async () => {
  const pool = open(cluster.current);
  const keys = keysInSlots(40, 40).concat(keysInSlots(9_040, 9_040));
  const waits = keys.map((key) => errorOf(pool.blpop(key, 0) as Promise<unknown>));
  await waitUntil(() => pool.stats().leases.blocking === 2, { what: 'both wait' });
  const report = await pool.close({ timeoutMs: 2_000 });
  expect(report).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
  for (const wait of waits) expect(codeOf(await wait)).toBe('RP_ERR_CLOSING');
  expect(codeOf(await errorOf(pool.get('a')))).toBe('RP_ERR_CLOSED');
});
