import type { RedisServer } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { keysInSlots, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 2, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

test('a scan that goes on while the first slots of a node move finds the keys that stay there', async () => {
  const [source, target] = cluster.current.nodes as [RedisServer, RedisServer];
  const pool = open(cluster.current);
  const keys = Array.from({ length: 3_000 }, (_, index) => `scan:${index}`);
  await Promise.all(keys.map((key) => pool.set(key, 1)));
  const found = new Set<string>();
  let hasMoved = false;
  for await (const some of pool.scanStream({ count: 20 })) {
    for (const key of some as string[]) found.add(key);
    if (hasMoved) continue;
    hasMoved = true;
    await cluster.current.moveSlots(source, target, { from: 0, to: 0 });
    // The pool meets MOVED, and knows.
    await pool.get(keysInSlots(0, 0)[0] as string);
  }
  expect(keys.filter((key) => !found.has(key))).toEqual([]);
});
