import { createRedisPool } from '@redis-pool/core';
import { ensureRedisServer, startCluster } from '@redis-pool/testkit';
import { Cluster } from 'ioredis';
import { compareGets, fillKeys } from './side-by-side.js';

/** This pool beside ioredis's Cluster, on a cluster of three masters. */
await ensureRedisServer({ log: (line) => process.stderr.write(`${line}\n`) });
const cluster = await startCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 30_000 });
const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
const pool = createRedisPool({ cluster: { nodes } });
const plain = new Cluster(nodes);
const pipelining = new Cluster(nodes, { enableAutoPipelining: true });

await fillKeys((key, value) => pool.set(key, value));
const contestants = [
  { name: 'ioredis Cluster', get: (key: string) => plain.get(key) },
  { name: 'ioredis Cluster, autopipelining', get: (key: string) => pipelining.get(key) },
  { name: 'this pool', get: (key: string) => pool.get(key) },
];
const pids = cluster.nodes.map(({ pid }) => pid);
console.log(await compareGets({ contestants, callers: 256, pids }));

plain.disconnect();
pipelining.disconnect();
await pool.close();
await cluster.stop();
