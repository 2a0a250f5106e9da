import { type FaultProxy, type RedisServer, startFaultProxy, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import type { RedisPool } from '../../src/index.js';
import { errorOf, GRACE_MS, outcomeOf } from '../lease/lease-harness.js';
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

const natMap = () =>
  Object.fromEntries([...proxies.keys()].map((node) => [`${node.host}:${node.port}`, addressOf(node)]));

/** A pool that reaches every node through its proxy, and asks one of them for the others. */
function openBehindProxies(seed: RedisServer, options: ClusterPoolOptions = {}): RedisPool {
  return open(cluster.current, { nodes: [addressOf(seed)], cluster: { natMap: natMap() }, ...options });
}

/** Resolves when a node holds back a write. */
async function untilPaused(node: RedisServer): Promise<void> {
  const isPaused = async () =>
    String(await node.adminCommand('INFO', 'clients')).includes('blocked_clients:1');
  await waitUntil(isPaused, { what: 'a write is held back' });
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
  await untilPaused(node);
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
  await untilPaused(source);
  await loseAnswers(source);
  expect(await lost).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
  expect(await pool.get(staying)).toBe('1');
  await slot.finish();
});

test('a chain that failed before any of it was sent sends nothing later', async () => {
  const [source, away] = cluster.current.nodes as [RedisServer, RedisServer];
  const [moving, key] = [await keyOn(cluster.current, source), await keyOn(cluster.current, away)];
  const slot = await openSlot(cluster.current, slotOfKey(moving), away);
  const pool = openBehindProxies(source, { cluster: { natMap: natMap(), maxRedirections: 0 } });
  await pool.ready();
  proxyOf(away).refuse();
  proxyOf(away).reset();
  await waitUntil(() => pool.status === 'degraded', { what: 'one node is gone' });
  const error = await errorOf(pool.pipeline().incr(moving).incr(key).multi().incr(key).execOrThrow());
  expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
  await proxyOf(away).accept();
  // Behind whatever waited for this node.
  expect(await pool.get(key)).toBe(null);
  await waitUntil(() => pool.stats().pending.commands === 0, { what: 'nothing is pending' });
  await slot.finish();
});

test('a chain of 10,000 commands whose nodes are all away fails by its deadline', async () => {
  const [seed] = cluster.current.nodes as [RedisServer];
  for (const proxy of proxies.values()) proxy.refuse();
  const pool = openBehindProxies(seed, { commandTimeoutMs: 300 });
  const chain = pool.pipeline();
  for (let index = 0; index < 10_000; index += 1) chain.set(`key:${index}`, index);
  const startedAt = performance.now();
  const { error, settledAt } = await outcomeOf(chain.exec());
  expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
  expect(settledAt - startedAt).toBeLessThan(300 + 6 * GRACE_MS);
});

test('close() counts every command of a chain that it cuts', async () => {
  const [seed] = cluster.current.nodes as [RedisServer];
  for (const proxy of proxies.values()) proxy.refuse();
  const pool = openBehindProxies(seed);
  const lost = errorOf(pool.pipeline().set('a', 1).set('b', 2).get('c').exec());
  const { cut } = await pool.close({ timeoutMs: 100 });
  expect(cut.commands).toEqual({ SET: 2, GET: 1 });
  expect(await lost).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
});
