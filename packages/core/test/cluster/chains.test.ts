import { type FaultProxy, type RedisServer, startFaultProxy, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import type { RedisPool } from '../../src/index.js';
import { errorOf } from '../lease/lease-harness.js';
import { type ClusterPoolOptions, keyOn, openSlot, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 2, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

let proxies: Map<RedisServer, FaultProxy>;

beforeEach(async () => {
  proxies = new Map();
  for (const node of cluster.current.nodes) {
    await node.adminCommand('FLUSHALL');
    proxies.set(node, await startFaultProxy({ target: node }));
  }
});
afterEach(() => Promise.all([...proxies.values()].map((proxy) => proxy.close())));

const proxyOf = (node: RedisServer) => proxies.get(node) as FaultProxy;
const addressOf = (node: RedisServer) => ({ host: '127.0.0.1', port: proxyOf(node).port });

/** A pool that reaches every node through its proxy, and asks one of them for the others. */
function openBehindProxies(seed: RedisServer, options: ClusterPoolOptions = {}): RedisPool {
  const natMap = Object.fromEntries(
    [...proxies.keys()].map((node) => [`${node.host}:${node.port}`, addressOf(node)]),
  );
  return open(cluster.current, { nodes: [addressOf(seed)], cluster: { natMap }, ...options });
}

/** Resolves when a node has been sent commands that it has not answered. */
function untilInFlight(pool: RedisPool, node: RedisServer, count: number): Promise<void> {
  const { port } = proxyOf(node);
  const inFlight = () => {
    const { lanes = [] } = pool.stats().nodes.find(({ address }) => address.endsWith(`:${port}`)) ?? {};
    return lanes.reduce((sum, lane) => sum + lane.inFlight, 0);
  };
  return waitUntil(() => inFlight() === count, { what: `${count} commands are in flight` });
}

/** Has a node run the writes that it holds back, while their replies are lost with the connection. */
async function loseAnswers(node: RedisServer): Promise<void> {
  proxyOf(node).swallowRepliesThenReset();
  await node.adminCommand('CLIENT', 'UNPAUSE');
}

test('a write of a chain that waited for the first word of the cluster is not sent twice', async () => {
  const [away, node] = cluster.current.nodes as [RedisServer, RedisServer];
  const [unsent, key] = [await keyOn(cluster.current, away), await keyOn(cluster.current, node)];
  proxyOf(away).refuse();
  await node.adminCommand('CLIENT', 'PAUSE', 20_000, 'WRITE');
  const pool = openBehindProxies(node, { commandTimeoutMs: 3_000 });
  const lost = errorOf(pool.pipeline().incr(unsent).incr(key).exec());
  await untilInFlight(pool, node, 1);
  await loseAnswers(node);
  expect(await lost).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
  // Behind whatever would have been sent again.
  expect(await pool.get(key)).toBe('1');
});

test('a write behind one that a node has sent elsewhere is not sent twice', async () => {
  const [source, target] = cluster.current.nodes as [RedisServer, RedisServer];
  const moving = await keyOn(cluster.current, source);
  const slot = await openSlot(cluster.current, slotOfKey(moving), target);
  const staying = await keyOn(cluster.current, source, { except: moving });
  const pool = openBehindProxies(source, { commandTimeoutMs: 3_000 });
  await pool.ready();
  const elsewhere = await keyOn(cluster.current, target);
  // The writes to the other node are counted for themselves: it is far ahead.
  await Promise.all(Array.from({ length: 50 }, () => pool.get(elsewhere)));
  await source.adminCommand('CLIENT', 'PAUSE', 20_000, 'WRITE');
  const lost = errorOf(pool.pipeline().incr(moving).incr(staying).exec());
  await waitUntil(() => pool.stats().redirections > 0, { what: 'the first is sent on' });
  await untilInFlight(pool, source, 1);
  await loseAnswers(source);
  expect(await lost).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
  expect(await pool.get(staying)).toBe('1');
  await slot.finish();
});
