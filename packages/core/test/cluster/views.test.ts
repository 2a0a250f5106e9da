import { waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Cluster } from 'ioredis';
import { expect, test } from 'vitest';
import { seedsOf, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 3, replicasPerMaster: 1 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

async function commandCalls(role: 'master' | 'replica', command: string): Promise<number> {
  const masters = await cluster.current.masters();
  const nodes = cluster.current.nodes.filter((node) => masters.includes(node) === (role === 'master'));
  const texts = await Promise.all(nodes.map((node) => node.adminCommand('INFO', 'commandstats')));
  const calls = texts.map((text) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(`${text}`)?.[1] ?? 0),
  );
  return calls.reduce((sum, count) => sum + count, 0);
}

test('a scan goes over all masters, each key once', async () => {
  const pool = open(cluster.current);
  const keys = Array.from({ length: 500 }, (_, index) => `scan:${index}`);
  await Promise.all(keys.map((key) => pool.set(key, 1)));
  const found: string[] = [];
  for await (const some of pool.scanStream({ match: 'scan:*', count: 50 })) found.push(...(some as string[]));
  expect(found.sort()).toEqual(keys.sort());
});

test('only reads through the view go to replicas, and only when it is asked for', async () => {
  // A replica is not told of before it has something.
  const pool = open(cluster.current, { cluster: { slotsRefreshInterval: 200 } });
  const keys = Array.from({ length: 60 }, (_, index) => `replica:${index}`);
  await Promise.all(keys.map((key) => pool.set(key, key)));
  const before = await commandCalls('replica', 'get');
  await Promise.all(keys.map((key) => pool.get(key)));
  expect(await commandCalls('replica', 'get')).toBe(before);
  const areConnected = async () => {
    // Those that find no connected replica have them connected.
    await Promise.all(keys.map((key) => pool.replica.get(key)));
    const { nodes } = pool.stats();
    return nodes.filter(({ role, status }) => role === 'replica' && status === 'ready').length === 3;
  };
  await waitUntil(areConnected, { timeoutMs: 15_000, what: 'the replicas are connected' });
  const atMasters = await commandCalls('master', 'get');
  await waitUntil(
    async () =>
      (await Promise.all(keys.map((key) => pool.replica.get(key)))).every((value) => value !== null),
    {
      what: 'the replicas have caught up',
    },
  );
  expect(await Promise.all(keys.map((key) => pool.replica.get(key)))).toEqual(keys);
  expect(await commandCalls('master', 'get')).toBe(atMasters);
  expect(await pool.replica.set('replica:0', 'new')).toBe('OK');
  expect(pool.stats().redirections).toBe(0);
});

test('a dedicated client is an ioredis Cluster that ends with the pool', async () => {
  const pool = open(cluster.current);
  const client = pool.dedicated('jobs');
  expect(client).toBeInstanceOf(Cluster);
  expect(await client.set('dedicated', 1)).toBe('OK');
  const more = client.duplicate();
  expect(await more.get('dedicated')).toBe('1');
  expect(pool.stats().connections.dedicated).toBe(2);
  await pool.close();
  expect([client.status, more.status]).toEqual(['end', 'end']);
});

test('stats() has the nodes, and the sums of them', async () => {
  const pool = open(cluster.current);
  await pool.ready();
  await pool.lease((lease) => lease.get('a'), { key: 'a' });
  const { nodes, lanes, connections, leases, status } = pool.stats();
  const masters = (await cluster.current.masters()).map(({ host, port }) => `${host}:${port}`);
  expect(nodes.map(({ address }) => address).sort()).toEqual([...masters].sort());
  expect(nodes.every((node) => node.role === 'master' && node.status === 'ready')).toBe(true);
  expect({ status, lanes: lanes.length, used: connections.used, idle: leases.idle }).toEqual({
    ...{ status: 'ready', lanes: 3, used: 4, idle: 1 },
  });
  expect(seedsOf(cluster.current)).toHaveLength(6);
});
