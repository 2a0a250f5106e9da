import {
  type RedisCluster,
  type RedisServer,
  type StartClusterOptions,
  startCluster,
} from '@redis-pool/testkit';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { createRedisPool, type RedisPool, type RedisPoolOptions } from '../../src/index.js';

/** A cluster for the tests of a file, started once; `undefined` before. */
export function useCluster(options: StartClusterOptions): { readonly current: RedisCluster } {
  const holder: { current: RedisCluster } = { current: undefined as never };
  beforeAll(async () => {
    holder.current = await startCluster(options);
  });
  afterAll(() => holder.current?.stop());
  return holder;
}

let opened = 0;

/** Gives a function that opens pools on a cluster; each is destroyed after its test. */
export function useClusterPools(): (cluster: RedisCluster, options?: ClusterPoolOptions) => RedisPool {
  const pools: RedisPool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.destroy();
  });
  return (cluster, { cluster: clusterOptions, nodes = seedsOf(cluster), ...options } = {}) => {
    opened += 1;
    const pool = createRedisPool({
      name: `cluster-test-${opened}`,
      cluster: { nodes, ...(clusterOptions === undefined ? {} : { options: clusterOptions }) },
      ...options,
    });
    pools.push(pool);
    return pool;
  };
}

type Target = NonNullable<RedisPoolOptions['cluster']>;

export interface ClusterPoolOptions extends Omit<RedisPoolOptions, 'cluster'> {
  readonly cluster?: NonNullable<Target['options']>;
  readonly nodes?: Target['nodes'];
}

export function seedsOf({ nodes }: RedisCluster): { host: string; port: number }[] {
  return nodes.map(({ host, port }) => ({ host, port }));
}

/** A key in each slot of a range, in the order of the slots. */
export function keysInSlots(from: number, to: number): string[] {
  const keys = new Map<number, string>();
  for (let index = 0; keys.size <= to - from; index += 1) {
    const slot = slotOfKey(`key:${index}`);
    if (slot >= from && slot <= to && !keys.has(slot)) keys.set(slot, `key:${index}`);
  }
  return [...keys].sort(([a], [b]) => a - b).map(([, key]) => key);
}

/** One key on each of the nodes. */
export async function keyOn(
  cluster: RedisCluster,
  node: RedisServer,
  { except = '' }: { readonly except?: string } = {},
): Promise<string> {
  for (let index = 0; ; index += 1) {
    const key = `on:${index}`;
    if (key !== except && (await cluster.ownerOf(slotOfKey(key))) === node) return key;
  }
}

/** Puts one slot into the state of being on its way; `finish` ends that. */
export async function openSlot(cluster: RedisCluster, slot: number, target: RedisServer) {
  const source = await cluster.ownerOf(slot);
  const [sourceId, targetId] = [await cluster.idOf(source), await cluster.idOf(target)];
  await target.adminCommand('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
  await source.adminCommand('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
  const move = (...keys: string[]) =>
    source.adminCommand('MIGRATE', target.host, target.port, '', 0, 5_000, 'KEYS', ...keys);
  const finish = async () => {
    for (const node of [target, source, ...(await cluster.masters())])
      await node.adminCommand('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
  };
  return { source, move, finish };
}
