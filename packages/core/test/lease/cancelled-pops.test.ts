import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRedisPool, type RedisPool } from '../../src/index.js';
import { codeOf, type Outcome, outcomeOf } from './lease-harness.js';

/** Cancelled pops in all; 10,000 take about fifteen seconds. */
const POPS = Number(process.env.CANCELLED_POPS ?? 500);
const SEED = Number(process.env.CANCELLED_POPS_SEED ?? Date.now() % 1_000_000);
/** A pool that is drained has this many pops parked. */
const POPS_PER_POOL = 50;
const LISTS = 5;

let server: RedisServer;

useLeakCheck(() => [server]);

beforeAll(async () => {
  server = await startRedis();
  await server.adminCommand(
    'ACL',
    'SETUSER',
    'no-unblock',
    'on',
    '>pw',
    '~*',
    '&*',
    '+@all',
    '-client|unblock',
  );
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});

const isEnd = (error: unknown): boolean =>
  error === ABORTED || codeOf(error) === 'RP_ERR_COMMAND_TIMEOUT' || codeOf(error) === 'RP_ERR_CLOSING';
const ABORTED = new Error('aborted');

/** Mulberry32: a run is repeated with its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Elements in what a pop resolved with, in the shape of any of the commands below. */
function elementsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('e:') ? [value] : [];
  return Array.isArray(value) ? value.flatMap(elementsIn) : [];
}

type Pop = (
  redis: Pick<RedisPool, 'blpop' | 'brpop' | 'blmpop' | 'blmove' | 'pipeline' | 'lease'>,
  list: string,
) => Promise<unknown>;

const POP_KINDS: readonly Pop[] = [
  (redis, list) => redis.blpop(list, 0),
  (redis, list) => redis.brpop(list, 30),
  (redis, list) => redis.blmpop(0, 1, list, 'LEFT', 'COUNT', 2),
  // Where it is moved to counts as delivered: see below.
  (redis, list) => redis.blmove(list, 'moved', 'LEFT', 'RIGHT', 0),
  (redis, list) => redis.pipeline().blpop(list, 0).ping().blpop(list, 0).exec(),
  (redis, list) => redis.lease((lease) => lease.blpop(list, 0)),
  (redis, list) => redis.lease((lease) => lease.pipeline().brpop(list, 0).exec()),
];

describe('cancelling blocking pops while producers push', () => {
  // All of it by one signal, deadline or drain; the last with a user who has to be asked in slices.
  test.each([
    ['with CLIENT UNBLOCK', '', POPS, 6],
    ['in slices, without CLIENT UNBLOCK', 'no-unblock:pw@', Math.ceil(POPS / 4), 60],
  ])(
    `%s loses no element (seed ${SEED})`,
    async (_, user, pops, pushEveryMs) => {
      const random = randomFrom(SEED);
      const pushed = new Set<string>();
      const outcomes: Promise<Outcome>[] = [];
      const url = `redis://${user}${server.host}:${server.port}`;
      const producer = createRedisPool({ name: 'producer', url: server.url });
      let isProducing = true;
      const producing = produce(producer, pushed, { random, pushEveryMs, isProducing: () => isProducing });
      for (let round = 0; round * POPS_PER_POOL < pops; round += 1) {
        const pool = createRedisPool({ name: `consumer-${round}`, url, maxConnections: POPS_PER_POOL + 1 });
        await pool.ready();
        const count = Math.min(POPS_PER_POOL, pops - round * POPS_PER_POOL);
        const running = Array.from({ length: count }, () => startAndCancel(pool, random));
        outcomes.push(...running);
        await waitUntil(() => pool.stats().leases.waiting === 0, {
          what: 'all have a connection, or were cut',
        });
        // What is still parked then is cut by the drain.
        await pause(random() * 30);
        const report = await pool.close({ timeoutMs: 10_000 });
        expect(report).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
      }
      isProducing = false;
      await producing;
      const ended = await Promise.all(outcomes);
      expect(ended.filter(({ error }) => error !== undefined && !isEnd(error))).toEqual([]);
      await account(ended, pushed, producer);
      const ends = ended.map(({ error }) => (error === ABORTED ? 'abort' : (codeOf(error) ?? 'delivered')));
      const cancelled = ends.filter((end) => end !== 'delivered').length;
      // Neither all delivered nor all cancelled, and cancelled in every way.
      expect(new Set(ends)).toEqual(
        new Set(['delivered', 'abort', 'RP_ERR_COMMAND_TIMEOUT', 'RP_ERR_CLOSING']),
      );
      if (pops >= 1_000) console.log(`${pops} pops: ${cancelled} cancelled, ${pushed.size} elements pushed`);
      await producer.close();
    },
    300_000,
  );
});

/** One pop that is cut by an abort, a deadline, or in the end by the drain of its pool. */
function startAndCancel(pool: RedisPool, random: () => number): Promise<Outcome> {
  const pop = POP_KINDS[Math.floor(random() * POP_KINDS.length)] as Pop;
  const list = `list:${Math.floor(random() * LISTS)}`;
  const end = random();
  const afterMs = 1 + Math.floor(random() * 40);
  if (end < 0.4) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(ABORTED), afterMs);
    return outcomeOf(pop(pool.scope({ signal: controller.signal }), list));
  }
  if (end < 0.7) return outcomeOf(pop(pool.scope({ timeoutMs: afterMs }), list));
  return outcomeOf(pop(pool, list));
}

/** Pushes elements, each of them once, in bursts of different length. */
async function produce(
  pool: RedisPool,
  pushed: Set<string>,
  { random, pushEveryMs, isProducing }: Production,
): Promise<void> {
  while (isProducing()) {
    const burst = Array.from(
      { length: 1 + Math.floor(random() * 3) },
      (_, index) => `e:${pushed.size + index}`,
    );
    for (const element of burst) pushed.add(element);
    await pool.rpush(`list:${Math.floor(random() * LISTS)}`, ...burst);
    await pause(random() * pushEveryMs);
  }
}

interface Production {
  readonly random: () => number;
  /** Longest pause between two bursts. */
  readonly pushEveryMs: number;
  readonly isProducing: () => boolean;
}

/** Every element is in a list or was delivered, and none is in two places. */
async function account(
  ended: readonly Outcome[],
  pushed: ReadonlySet<string>,
  pool: RedisPool,
): Promise<void> {
  const lists = await Promise.all(
    Array.from({ length: LISTS }, (_, index) => pool.lrange(`list:${index}`, 0, -1)),
  );
  const moved = await pool.lrange('moved', 0, -1);
  const delivered = ended.flatMap(({ value }) => elementsIn(value));
  // BLMOVE delivers by moving: what it resolved with has to be there.
  const movedAndDelivered = new Set(delivered.filter((element) => moved.includes(element)));
  const others = delivered.filter((element) => !movedAndDelivered.has(element));
  expect(moved.filter((element) => !movedAndDelivered.has(element))).toEqual([]);
  const found = [...lists.flat(), ...moved, ...others];
  expect(found.length).toBe(new Set(found).size);
  expect([...found].sort()).toEqual([...pushed].sort());
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
