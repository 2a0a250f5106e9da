import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { keysInSlots, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 3, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

test('ordinary channels hear what is published at any node', async () => {
  const pool = open(cluster.current);
  const got: string[] = [];
  const subscription = await pool.subscribe(['a', 'b', 'c'], (message) => void got.push(message));
  for (const [index, node] of cluster.current.nodes.entries())
    await node.adminCommand('PUBLISH', 'b', `from ${index}`);
  await waitUntil(() => got.length === 3, { what: 'all messages are there' });
  expect(got.sort()).toEqual(['from 0', 'from 1', 'from 2']);
  await subscription.unsubscribe();
});

test('shard channels are heard at the node of their slot, several slots in one subscription', async () => {
  const pool = open(cluster.current);
  const channels = keysInSlots(0, 0).concat(keysInSlots(8_000, 8_001), keysInSlots(16_000, 16_000));
  const got: string[] = [];
  const subscription = await pool.ssubscribe(channels, (message) => void got.push(message));
  for (const channel of channels) expect(await pool.spublish(channel, channel)).toBe(1);
  await waitUntil(() => got.length === channels.length, { what: 'all messages are there' });
  expect(got.sort()).toEqual([...channels].sort());
  expect(pool.stats().subscriber).toMatchObject({ subscriptions: 1, channels: 4, connected: true });
  await subscription.unsubscribe();
  await pool.close();
});

test('a shard channel moves with its slot, and its gap is told', async () => {
  const pool = open(cluster.current);
  const [channel = '', stays = ''] = keysInSlots(500, 501);
  const got: string[] = [];
  let gaps = 0;
  const subscription = await pool.ssubscribe([channel, stays], (message) => void got.push(message), {
    onGap: () => {
      gaps += 1;
    },
  });
  const [first, second] = (await cluster.current.masters()) as [RedisServer, RedisServer];
  const slot = slotOfKey(channel);
  await cluster.current.moveSlots(first, second, { from: slot, to: slot });
  await waitUntil(() => gaps > 0, { what: 'the gap is told' });
  expect(await pool.spublish(channel, 'moved')).toBe(1);
  expect(await pool.spublish(stays, 'stayed')).toBe(1);
  await waitUntil(() => got.length === 2, { what: 'both messages are there' });
  expect(got.sort()).toEqual(['moved', 'stayed']);
  await subscription.unsubscribe();
  expect(pool.stats().subscriber.channels).toBe(0);
});
