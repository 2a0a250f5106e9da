import { createRedisPool } from '@redis-pool/core';
import { ensureRedisServer, startRedis } from '@redis-pool/testkit';
import { createPool } from 'generic-pool';
import { Pool as TarnPool } from 'tarn';
// The pool itself, without Redis, is no public name of the package.
import { ExclusivePool } from '../../packages/core/dist/leases/exclusive-pool.js';

const ROUNDS = 15;
const TURNS = 40_000;

/** Acquires and releases so many times, with nobody else there. */
type Contestant = (turns: number) => Promise<void>;

await ensureRedisServer({ log: (line) => process.stderr.write(`${line}\n`) });
const server = await startRedis();
const contestants = new Map<string, Contestant>();

// ---- pools of nothing: what the pool costs by itself ----

const generic = createPool({ create: async () => ({}), destroy: async () => {} }, { max: 10, min: 1 });
contestants.set('generic-pool', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1) generic.release(await generic.acquire());
});

const tarn = new TarnPool({ create: async () => ({}), destroy() {}, min: 1, max: 10 });
contestants.set('tarn', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1) tarn.release(await tarn.acquire().promise);
});

const own = new ExclusivePool<object>(
  {
    create: async () => ({}),
    destroyOne() {},
    isUsable: () => true,
    reserve: () => true,
    free() {},
    canCreate: () => true,
  },
  { minIdle: 0, idleMs: 30_000, maxLifetimeMs: 1_800_000, maxWaiting: 1_000 },
);
const waiting = { timeoutMs: 1_000, onTimeout: () => new Error('late'), onFull: () => new Error('full') };
// As the leases of a RedisPool use it: what lies idle needs no promise.
contestants.set('ExclusivePool', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1)
    own.release(own.tryAcquire() ?? (await own.wait(waiting)), true);
});
// With an await in each turn, as the others need it.
contestants.set('ExclusivePool, awaited', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1)
    own.release(await (own.tryAcquire() ?? own.wait(waiting)), true);
});

// ---- leases of a pool of Redis connections: holder, watch, state of the session, scripts, and the stack ----

const silent = createRedisPool({ name: 'silent', url: server.url, leaseReportMs: 0 });
contestants.set('pool.acquire(), leaseReportMs 0', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1) await (await silent.acquire()).release();
});
contestants.set('pool.lease(), leaseReportMs 0', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1) await silent.lease(() => turn);
});
const standard = createRedisPool({ name: 'standard', url: server.url });
contestants.set('pool.acquire()', async (turns) => {
  for (let turn = 0; turn < turns; turn += 1) await (await standard.acquire()).release();
});

const samples = new Map([...contestants.keys()].map((name): [string, number[]] => [name, []]));
for (let round = -1; round < ROUNDS; round += 1) {
  // One after the other in each round, so that what else the machine does meets all of them.
  for (const [name, contestant] of contestants) {
    const startedAt = performance.now();
    await contestant(TURNS);
    const nanoseconds = ((performance.now() - startedAt) / TURNS) * 1e6;
    // The first round is to warm up.
    if (round >= 0) samples.get(name)?.push(nanoseconds);
  }
}
process.stdout.write(`${table()}\n`);

await Promise.all([silent.close(), standard.close(), tarn.destroy()]);
await generic.drain();
await generic.clear();
own.close(() => new Error('closed'));
await server.stop();

function table(): string {
  const medians = [...samples].map(([name, values]): [string, number] => [name, median(values)]);
  const of = (name: string): number => medians.find(([other]) => other === name)?.[1] ?? Number.NaN;
  const rows = medians.map(([name, ns]) => {
    const factors = [of('generic-pool') / ns, of('tarn') / ns].map((factor) => `${factor.toFixed(1)} x`);
    return `| ${name} | ${Math.round(ns)} ns | ${factors.join(' | ')} |`;
  });
  const head = [
    '| uncontended acquire + release | median | generic-pool | tarn |',
    '| --- | --- | --- | --- |',
  ];
  return [...head, ...rows, `${ROUNDS} rounds of ${TURNS} turns, Node ${process.version}`].join('\n');
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
