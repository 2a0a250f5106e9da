import { peer } from './peers/index.js';
import { BenchServer } from './run/bench-server.js';
import { type Contestant, compareGets, fillKeys } from './side-by-side.js';

/** This pool beside ioredis, over TLS. The goal: at 64 callers 1.7 times what plain ioredis does. */
const PEERS = ['ioredis', 'ioredis-autopipelining', 'redis-pool'] as const;

await using server = await BenchServer.start();
const clients = await Promise.all(PEERS.map((id) => peer(id).connect(server.target('tls'))));
const contestants = PEERS.map((name, index): Contestant => {
  const client = clients[index] as (typeof clients)[number];
  return { name, get: (key) => client.get(key) };
});

await fillKeys((key, value) => clients[0]?.set(key, value) ?? Promise.resolve());
console.log(await compareGets({ contestants, callers: 64, pids: [server.pid] }));
await Promise.all(clients.map((client) => client.close()));
