import { createRedisPool } from '@redis-pool/core';
import { ensureRedisServer, startCluster } from '@redis-pool/testkit';
import { Cluster } from 'ioredis';

/** GETs of 100 bytes from many callers on a cluster: this pool beside ioredis's Cluster, in turns. */
const CALLERS = Number(process.env.CALLERS ?? 256);
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const WINDOW_MS = 250;
const KEYS = 10_000;

type Get = (key: string) => Promise<string | null>;

/** Callers that each ask again as soon as they are answered; returns answers per second. */
async function measure(get: Get): Promise<number> {
  const startedAt = performance.now();
  const endsAt = startedAt + WINDOW_MS;
  let answered = 0;
  const call = async (caller: number): Promise<void> => {
    for (let turn = caller; performance.now() < endsAt; turn += CALLERS) {
      const key = `key:${turn % KEYS}`;
      const value = await get(key);
      if (value?.startsWith(`${key} `) !== true) throw new Error('The value of another key');
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  return answered / ((performance.now() - startedAt) / 1_000);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

await ensureRedisServer({ log: (line) => process.stderr.write(`${line}\n`) });
const cluster = await startCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 30_000 });
const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
const pool = createRedisPool({ cluster: { nodes } });
const plain = new Cluster(nodes);
const pipelining = new Cluster(nodes, { enableAutoPipelining: true });
const peers: readonly (readonly [name: string, get: Get])[] = [
  ['ioredis Cluster', (key) => plain.get(key)],
  ['ioredis Cluster, autopipelining', (key) => pipelining.get(key)],
  ['this pool', (key) => pool.get(key)],
];

const keys = Array.from({ length: KEYS }, (_, index) => `key:${index}`);
await Promise.all(keys.map((key) => pool.set(key, `${key} `.padEnd(100, 'x'))));
const results = new Map(peers.map(([name]) => [name, [] as number[]]));
for (let round = -2; round < ROUNDS; round += 1) {
  // A different one first each time; the first two rounds warm up.
  for (let turn = 0; turn < peers.length; turn += 1) {
    const [name, get] = peers[(turn + round + peers.length) % peers.length] as (typeof peers)[number];
    const rate = await measure(get);
    if (round >= 0) results.get(name)?.push(rate);
  }
}
const [[base]] = peers as [[string, Get]];
const baseRates = results.get(base) as number[];
for (const [name, rates] of results) {
  const ratio = median(rates.map((rate, round) => rate / (baseRates[round] as number)));
  console.log(
    `${name.padEnd(32)} ${Math.round(median(rates)).toString().padStart(8)} GET/s  ${ratio.toFixed(2)} x`,
  );
}
plain.disconnect();
pipelining.disconnect();
await pool.close();
await cluster.stop();
