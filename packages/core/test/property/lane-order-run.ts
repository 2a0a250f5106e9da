import {
  type FaultProxy,
  Random,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { createRedisPool, type PoolStats, type RedisPool } from '../../src/index.js';
import {
  Caller,
  hashKey,
  hashValue,
  Journal,
  STATIC_KEYS,
  staticKey,
  staticValue,
} from './lane-order-caller.js';

export interface LaneOrderOptions {
  /** Run until so many commands were called ... */
  readonly commands: number;
  /** ... and so many callers were detached from a command by an abort or a deadline. */
  readonly detached: number;
  readonly seed: number;
  /** Called every second. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface LaneOrderReport {
  readonly journal: Journal;
  readonly elapsedMs: number;
  /** Of both pools, when everything was over. */
  readonly stats: readonly PoolStats[];
}

const PATIENT_CALLERS = 40;
const HASTY_CALLERS = 12;
/** With delays of up to 60 ms in bad weather, a few of a hundred calls are late. */
const HASTY_TIMEOUT_MS = 30;
const WEATHER_MS = 40;

/**
 * Many callers, all kinds of calls, aborts and deadlines at random, over one lane each for patient and hasty
 * callers, through a proxy that delays and splits. Every reply is checked against what its caller has to get.
 */
export async function runLaneOrder(options: LaneOrderOptions): Promise<LaneOrderReport> {
  const server = await startRedis();
  const proxy = await startFaultProxy({ target: server });
  const name = `order-${options.seed}`;
  const patient = createRedisPool({ name: `${name}-patient`, url: proxy.url, commandTimeoutMs: 60_000 });
  const hasty = createRedisPool({
    name: `${name}-hasty`,
    url: proxy.url,
    commandTimeoutMs: HASTY_TIMEOUT_MS,
  });
  try {
    return await run(options, { server, proxy, patient, hasty });
  } finally {
    patient.destroy();
    hasty.destroy();
    await proxy.close();
    await server.stop();
  }
}

interface Stage {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
  readonly patient: RedisPool;
  readonly hasty: RedisPool;
}

async function run(
  options: LaneOrderOptions,
  { server, proxy, patient, hasty }: Stage,
): Promise<LaneOrderReport> {
  const random = new Random(options.seed);
  const journal = new Journal();
  await fill(patient);
  await hasty.ready();
  const makeCaller = (id: string, pool: RedisPool, mayTimeOut: boolean) =>
    new Caller(id, pool, new Random(random.integer(0, 2 ** 31)), journal, mayTimeOut);
  const callers = [
    ...Array.from({ length: PATIENT_CALLERS }, (_, id) => makeCaller(`patient:${id}`, patient, false)),
    ...Array.from({ length: HASTY_CALLERS }, (_, id) => makeCaller(`hasty:${id}`, hasty, true)),
  ];
  const startedAt = performance.now();
  const weather = setInterval(() => changeWeather(proxy, random), WEATHER_MS);
  const elapsed = () => (performance.now() - startedAt) / 1_000;
  const progress = setInterval(() => options.onProgress?.(progressLine(journal, elapsed())), 1_000);
  const abortProbability = Math.min(0.5, (2 * options.detached) / Math.max(1, options.commands));
  const isDone = () =>
    journal.wrong.length > 0 ||
    (journal.commands >= options.commands && journal.detached >= options.detached);
  try {
    await Promise.all(
      callers.map(async (caller) => {
        while (!isDone()) await caller.burst(abortProbability);
      }),
    );
  } finally {
    clearInterval(weather);
    clearInterval(progress);
  }
  await proxy.heal();
  const pools = [patient, hasty];
  await waitUntil(() => pools.every((pool) => pool.stats().pending.commands === 0), {
    what: 'the replies that nobody waits for have come',
  });
  for (const caller of callers) await caller.verify((name, ...args) => server.adminCommand(name, ...args));
  return { journal, elapsedMs: performance.now() - startedAt, stats: pools.map((pool) => pool.stats()) };
}

async function fill(pool: RedisPool): Promise<void> {
  const chain = pool.pipeline();
  for (let index = 0; index < STATIC_KEYS; index += 1) {
    chain.set(staticKey(index), staticValue(index)).hset(hashKey(index), hashValue(index));
  }
  await chain.execOrThrow();
}

function changeWeather(proxy: FaultProxy, random: Random): void {
  void proxy.heal();
  const kind = random.integer(0, 9);
  if (kind < 3) return;
  if (kind < 6) proxy.delay({ ms: random.integer(0, 5), jitterMs: random.integer(1, 15) });
  else if (kind < 7) proxy.delay({ ms: 0, jitterMs: 60, direction: 'toClient' });
  else {
    const direction = random.pick(['toServer', 'toClient', 'both'] as const);
    proxy.split({ maxBytes: random.pick([1, 2, 7, 97, 1_000, 5_000]), direction });
  }
}

export function progressLine({ commands, timeouts, aborts, wrong }: Journal, seconds: number): string {
  const rate = Math.round(commands / seconds);
  return `${commands} commands in ${seconds.toFixed(0)} s (${rate}/s), ${timeouts} timed out, ${aborts} aborted, ${wrong.length} wrong`;
}
