// What an outage costs, measured in a process of its own; packages have to be built. One line of results each:
//   pnpm --filter @redis-pool/core long:outage settle     10,000 concurrent calls while Redis is stopped
//   pnpm --filter @redis-pool/core long:outage memory     a million calls in service, and a million without Redis
//   pnpm --filter @redis-pool/core long:outage minute     60 s: attempts and log lines
// Sizes: OUTAGE_CALLS, OUTAGE_SECONDS, OUTAGE_VALUE_BYTES.
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRedisPool } from '@redis-pool/core';
import { startRedis } from '@redis-pool/testkit';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const RUNS = { settle, memory, minute };
const MIB = 1024 * 1024;
const numberOf = (name, usual) => Number(process.env[name] ?? usual);

const [, , name = 'settle'] = process.argv;
const run = RUNS[name];
if (run === undefined) throw new Error(`Name a run: ${Object.keys(RUNS).join(', ')}`);
const server = await startRedis();
const result = await run().finally(() => server.stop());
console.log(JSON.stringify({ run: name, ...result }));
if (!result.ok) process.exitCode = 1;

async function settle() {
  const calls = numberOf('OUTAGE_CALLS', 10_000);
  // The default; the end of a shorter one may lie in the pause between two attempts to connect.
  const commandTimeoutMs = 5_000;
  const pool = createRedisPool({ url: server.url, commandTimeoutMs });
  await pool.ready();
  await pool.set('warm', 'up');
  await server.kill();
  const late = [];
  const codes = {};
  const call = async (index) => {
    const deadline = performance.now() + commandTimeoutMs;
    const reply = index % 2 === 0 ? pool.set(`key:${index}`, 'x') : pool.get('key');
    await reply.catch((error) => {
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    });
    late.push(performance.now() - deadline);
  };
  const all = Array.from({ length: calls }, (_, index) => call(index));
  // What the machine adds to any timer of that moment.
  const dueAt = performance.now() + commandTimeoutMs;
  const control = new Promise((resolve) => {
    setTimeout(() => resolve(performance.now() - dueAt), commandTimeoutMs);
  });
  await Promise.all(all);
  const controlMs = Math.round(await control);
  await server.restart();
  const first = await pool.set('first', 'x');
  const keys = await pool.keys('*');
  const latestMs = Math.round(Math.max(...late));
  await pool.close();
  const ranLater = keys.filter((key) => key.startsWith('key:')).length;
  const ok = ranLater === 0 && first === 'OK' && late.length === calls;
  return { calls, settled: late.length, latestMs, controlMs, codes, first, ranLater, ok };
}

/**
 * In one process: as many calls with Redis up, then as many without it, and half as many again after the deadlines of
 * those that waited. The limit is for what the outage adds, to what is alive and to the most that the process took while
 * it served: any load makes V8 enlarge its young generation (some 20 MiB) and leave garbage of calls that are over, most
 * of it their values, until its next full collection. What a process adds that never served is told too.
 */
async function memory() {
  const calls = numberOf('OUTAGE_CALLS', 1_000_000);
  const valueBytes = numberOf('OUTAGE_VALUE_BYTES', 1_000);
  // Longer than the calls take, so that all of them compete for the one bound.
  const pool = createRedisPool({ url: server.url, commandTimeoutMs: 20_000 });
  await pool.ready();
  const coldMiB = rssMiB();
  const service = await callMany(pool, calls, valueBytes);
  const heldBefore = heldSince(0);
  const collectedMiB = rssMiB();
  await server.kill();
  const outage = await callMany(pool, calls, valueBytes);
  const heldMiB = heldSince(heldBefore);
  const pendingMiB = Math.round(pool.stats().pending.bytes / MIB);
  await outage.settled();
  const later = await callMany(pool, calls / 2, valueBytes);
  await later.settled();
  await server.restart();
  const first = await pool.set('first', 'x');
  const ranLater = (await pool.dbsize()) - 1;
  await pool.close();
  const grewMiB = outage.mostMiB - service.mostMiB;
  const limitMiB = Math.round(64 * 1.2);
  const ok = Math.max(heldMiB, grewMiB) <= limitMiB && first === 'OK' && ranLater <= 0;
  const rss = { coldMiB, serviceMiB: service.mostMiB, collectedMiB, outageMiB: outage.mostMiB };
  const grew = { heldMiB, grewMiB, grewFromColdMiB: outage.mostMiB - coldMiB, limitMiB };
  const { codes } = outage;
  return { calls, valueBytes, ...grew, pendingMiB, rss, laterMiB: later.mostMiB, codes, first, ranLater, ok };
}

/** Calls in chunks, as callers make them; resolves after the last chunk. */
async function callMany(pool, calls, valueBytes) {
  const codes = {};
  let mostMiB = 0;
  let settled = 0;
  const chunk = 1_000;
  for (let made = 0; made < calls; made += chunk) {
    for (let index = made; index < made + chunk; index += 1) {
      // A value of its own each time, as callers have.
      const value = freshValue(index, valueBytes);
      const end = (error) => {
        settled += 1;
        codes[error?.code ?? 'OK'] = (codes[error?.code ?? 'OK'] ?? 0) + 1;
      };
      pool.set(`key:${index}`, value).then(() => end(), end);
    }
    await sleep(1);
    mostMiB = Math.max(mostMiB, rssMiB());
  }
  const untilSettled = async () => {
    while (settled < calls) await sleep(50);
  };
  return { mostMiB, codes, settled: untilSettled };
}

async function minute() {
  const seconds = numberOf('OUTAGE_SECONDS', 60);
  const lines = [];
  const note = (_fields, message) => void lines.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const pool = createRedisPool({ url: server.url, lanes: 3, logger });
  await pool.ready();
  await pool.subscribe('news', () => {});
  const leases = await Promise.all(Array.from({ length: 16 }, () => pool.acquire()));
  while (pool.stats().connections.used < 20) await sleep(10);
  lines.length = 0;
  const { connectAttempts } = pool.stats();
  await server.kill();
  const endsAt = performance.now() + seconds * 1_000;
  let attemptsIn10s;
  for (const lease of leases) void lease.release();
  while (performance.now() < endsAt) {
    for (let count = 0; count < 20; count += 1) {
      pool.get('key').catch(() => {});
      pool.lease((lease) => lease.get('key')).catch(() => {});
    }
    await sleep(20);
    if (endsAt - performance.now() < (seconds - 10) * 1_000)
      attemptsIn10s ??= pool.stats().connectAttempts - connectAttempts;
  }
  const attempts = pool.stats().connectAttempts - connectAttempts;
  await server.restart();
  await pool.ready({ timeoutMs: 10_000 });
  while (!pool.stats().subscriber.connected) await sleep(10);
  const first = await pool.set('first', 'x');
  const logged = [...lines];
  await pool.close();
  const ok = logged.length <= 5 && (attemptsIn10s ?? 0) <= 15 && first === 'OK';
  return { seconds, attempts, attemptsIn10s, lines: logged.length, logged, first, ok };
}

/** Flat in memory, and shared with no other. */
function freshValue(index, bytes) {
  return Buffer.alloc(bytes, `${index}:`).toString('latin1');
}

/** What is alive: heap and Buffers after a collection, in MiB. */
function heldSince(before) {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return Math.round((heapUsed + external) / MIB - before);
}

function rssMiB() {
  return Math.round(process.memoryUsage.rss() / MIB);
}
