import { createRedisPool, type RedisPool } from '@redis-pool/core';
import { ensureRedisServer, startRedis } from '@redis-pool/testkit';

const PARKED = 50;
const ROUNDS = 15;
const WINDOW = 20_000;
const CALLERS = 16;

/**
 * What fifty commands that wait at the server cost a GET on the lane. Windows without and with them take turns, so
 * that what else the machine does meets both.
 */
await ensureRedisServer({ log: (line) => process.stderr.write(`${line}\n`) });
const server = await startRedis();
const pool = createRedisPool({ url: server.url, maxConnections: 60, leaseIdleMs: 600_000 });
await pool.ready();
await pool.set('key', 'x'.repeat(100));

const alone: Quantiles[] = [];
const beside: Quantiles[] = [];
for (let round = -1; round < ROUNDS; round += 1) {
  const without = await measure(pool);
  const parked = park(pool);
  await untilParked();
  const withParked = await measure(pool);
  await unpark(pool);
  await Promise.all(parked);
  // The first round is to warm up.
  if (round < 0) continue;
  alone.push(without);
  beside.push(withParked);
}
report();
await pool.close();
await server.stop();

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

async function measure(redis: RedisPool): Promise<Quantiles> {
  const latencies: number[] = [];
  const caller = async (): Promise<void> => {
    while (latencies.length < WINDOW) {
      const startedAt = performance.now();
      await redis.get('key');
      latencies.push((performance.now() - startedAt) * 1_000);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  latencies.sort((one, other) => one - other);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function park(redis: RedisPool): Promise<unknown>[] {
  return Array.from({ length: PARKED }, (_, index) =>
    index % 2 === 0
      ? redis.blpop(`list:${index}`, 0)
      : redis.xread('BLOCK', 0, 'STREAMS', `stream:${index}`, '$'),
  );
}

async function unpark(redis: RedisPool): Promise<void> {
  for (let index = 0; index < PARKED; index += 1) {
    if (index % 2 === 0) await redis.rpush(`list:${index}`, 'x');
    else await redis.xadd(`stream:${index}`, '*', 'field', 'x');
  }
}

async function untilParked(): Promise<void> {
  for (let blocked = 0; blocked < PARKED; ) {
    const info = String(await server.adminCommand('INFO', 'clients'));
    blocked = Number(/^blocked_clients:(\d+)/m.exec(info)?.[1]);
  }
}

function report(): void {
  const row = (name: keyof Quantiles): string => {
    const [without, withParked] = [
      median(alone.map((each) => each[name])),
      median(beside.map((each) => each[name])),
    ];
    const change = (withParked / without - 1) * 100;
    return `| GET ${name} | ${without.toFixed(0)} us | ${withParked.toFixed(0)} us | ${change.toFixed(1)} % |`;
  };
  const head = `| ${CALLERS} callers | nobody parked | ${PARKED} parked | change |\n| --- | --- | --- | --- |`;
  process.stdout.write(`${head}\n${row('p50')}\n${row('p99')}\nmedians of ${ROUNDS} windows of ${WINDOW}\n`);
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}
