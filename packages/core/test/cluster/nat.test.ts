import { type FaultProxy, type RedisServer, startFaultProxy, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { keysInSlots, useCluster, useClusterPools } from './cluster-harness.js';

/** Where the nodes say that they are: nobody listens there whom the pool could reach. */
const announced = new Map<RedisServer, FaultProxy>();
const cluster = useCluster({
  masters: 3,
  replicasPerMaster: 0,
  nodeTimeoutMs: 30_000,
  announce: async (node) => {
    const proxy = await startFaultProxy({ target: node });
    announced.set(node, proxy);
    return { host: '127.0.0.1', port: proxy.port };
  },
});
afterAll(() => Promise.all([...announced.values()].map((proxy) => proxy.close())));
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

/** Nodes as they can be reached, by what they call themselves. */
let reachable: Map<string, FaultProxy>;

beforeEach(async () => {
  reachable = new Map();
  for (const [node, { port }] of announced)
    reachable.set(`127.0.0.1:${port}`, await startFaultProxy({ target: node }));
});
afterEach(async () => {
  for (const proxy of [...reachable.values(), ...announced.values()]) await proxy.heal();
  await Promise.all([...reachable.values()].map((proxy) => proxy.close()));
});

/** Connections to where nothing of the pool should go. */
const strays = () => [...announced.values()].reduce((sum, { acceptedCount }) => sum + acceptedCount, 0);

const addressOf = ({ port }: FaultProxy) => ({ host: '127.0.0.1', port });

test('nodes are connected to where they announce that they are', async () => {
  const [seed] = [...announced.values()] as [FaultProxy];
  const before = [...announced.values()].map(({ acceptedCount }) => acceptedCount);
  const pool = open(cluster.current, { nodes: [addressOf(seed)] });
  const keys = keysInSlots(0, 0).concat(keysInSlots(8_000, 8_000), keysInSlots(16_000, 16_000));
  await Promise.all(keys.map((key) => pool.set(key, key)));
  expect(await Promise.all(keys.map((key) => pool.get(key)))).toEqual(keys);
  const names = [...announced.values()].map(({ port }) => `127.0.0.1:${port}`);
  expect(
    pool
      .stats()
      .nodes.map(({ address }) => address)
      .sort(),
  ).toEqual(names.sort());
  for (const [index, { acceptedCount }] of [...announced.values()].entries())
    expect(acceptedCount).toBeGreaterThan(before[index] as number);
});

describe.each(['an object', 'a function'] as const)('natMap as %s', (form) => {
  const natMap = () => {
    const map = Object.fromEntries([...reachable].map(([name, proxy]) => [name, addressOf(proxy)]));
    return form === 'an object' ? map : (name: string) => map[name] ?? null;
  };
  const openBehindNat = () => {
    const [seed] = [...reachable.values()] as [FaultProxy];
    return open(cluster.current, { nodes: [addressOf(seed)], cluster: { natMap: natMap() } });
  };

  test('translates every address, of all kinds of connections', async () => {
    for (const proxy of announced.values()) await proxy.acceptAndReset();
    const before = strays();
    const pool = openBehindNat();
    await pool.ready();
    const [key = '', other = ''] = keysInSlots(8_000, 8_001);
    await pool.set(key, 'value');
    expect(await pool.lease((lease) => lease.get(key), { key })).toBe('value');
    const got: string[] = [];
    const subscription = await pool.ssubscribe(other, (message) => void got.push(message));
    await pool.spublish(other, 'hello');
    await waitUntil(() => got.length === 1, { what: 'the message is there' });
    await subscription.unsubscribe();
    expect(await pool.dedicated('worker').get(key)).toBe('value');
    const used = [...reachable.values()].map(({ port }) => `127.0.0.1:${port}`);
    const addresses = pool.stats().nodes.map(({ address }) => address);
    expect(addresses.sort()).toEqual(used.sort());
    expect(pool.stats()).toMatchObject({ status: 'ready', lostConnections: 0 });
    expect(strays()).toBe(before);
  });

  test('translates where MOVED points to', async () => {
    for (const proxy of announced.values()) await proxy.acceptAndReset();
    const pool = openBehindNat();
    await pool.ready();
    const [key = ''] = keysInSlots(100, 100);
    await pool.set(key, 'value');
    const before = strays();
    const { redirections } = pool.stats();
    const source = await cluster.current.ownerOf(slotOfKey(key));
    const target = (await cluster.current.masters()).find((node) => node !== source) as RedisServer;
    await cluster.current.moveSlots(source, target, { from: 100, to: 100 });
    expect(await pool.get(key)).toBe('value');
    expect(pool.stats().redirections).toBeGreaterThan(redirections);
    expect(strays()).toBe(before);
  });
});
