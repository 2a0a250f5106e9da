import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import { deferred, LINKS, type Outcome, outcomeOf, useLink, usePools } from './pool-harness.js';

/** What close() is given, and what the machine may add to it. */
const BUDGET_MS = 500;
const GRACE_MS = 250;

interface Stage {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
  open(options?: RedisPoolOptions): RedisPool;
}

/** Brings a pool into a state; resolves with it and with whatever its callers wait for. */
type State = (stage: Stage) => Promise<{ pool: RedisPool; calls: Promise<Outcome>[] }>;

const BLOCKED = 'BLPOP 0';

const STATES: Record<string, State> = {
  async connecting({ proxy, open }) {
    proxy.blackHole();
    const pool = open();
    const calls = [outcomeOf(pool.get('key')), outcomeOf(pool.ready())];
    await waitUntil(() => pool.stats().connectAttempts > 0, { what: 'an attempt' });
    return { pool, calls };
  },

  async ready({ open }) {
    const pool = open();
    await pool.ready();
    return { pool, calls: [] };
  },

  async 'reconnecting with a full queue'({ proxy, open }) {
    const pool = open({ maxPending: { commands: 1_000 } });
    await pool.ready();
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded', { what: 'degraded' });
    const calls = Array.from({ length: 1_200 }, () => outcomeOf(pool.set('key', 'value')));
    expect(pool.stats().waitingForConnection).toBe(1_000);
    return { pool, calls };
  },

  async [`lease blocked on ${BLOCKED}`]({ open, server }) {
    const pool = open();
    const calls = [outcomeOf(pool.lease((lease) => lease.blpop('empty', 0)))];
    await untilBlocked(server, 1);
    return { pool, calls };
  },

  async [`${BLOCKED} on the pool`]({ open, server }) {
    const pool = open();
    const calls = Array.from({ length: 5 }, () => outcomeOf(pool.blpop('empty', 0)));
    await untilBlocked(server, 5);
    return { pool, calls };
  },

  async subscribed({ open }) {
    const pool = open();
    const subscription = await pool.subscribe(['a', 'b']);
    const calls = [outcomeOf(drain(subscription)), outcomeOf(pool.subscribe('c').then(drain))];
    return { pool, calls };
  },

  async 'silent server'({ proxy, open }) {
    const pool = open();
    await pool.ready();
    const lease = await pool.acquire();
    await pool.subscribe('news', () => {});
    proxy.blackHole();
    const calls = [
      outcomeOf(pool.incr('count')),
      outcomeOf(lease.incr('count')),
      outcomeOf(pool.blpop('x', 0)),
    ];
    return { pool, calls };
  },

  async 'frozen server'({ server, open }) {
    const pool = open();
    await pool.ready();
    const lease = await pool.acquire();
    await pool.subscribe('news', () => {});
    const parked = outcomeOf(pool.blpop('empty', 0));
    await untilBlocked(server, 1);
    server.freeze();
    return { pool, calls: [parked, outcomeOf(pool.incr('count')), outcomeOf(lease.blpop('empty', 0))] };
  },

  async 'mid-transaction'({ open }) {
    const pool = open();
    const inside = deferred();
    const never = deferred();
    const transaction = pool.transaction(['key'], async (read, queue) => {
      await read.get('key');
      inside.resolve();
      await never.promise;
      queue.set('key', 'value');
    });
    await inside.promise;
    // Only its function knows when it ends: it goes on, and finds its lease gone.
    transaction.catch(() => {});
    return { pool, calls: [] };
  },
};

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

describe.each(LINKS)('close() over the %s link ends in its time', (link) => {
  useLink(link);

  test.each(Object.keys(STATES))('%s', async (name) => {
    const { pool, calls } = await enter(name);
    const report = await timed(() => pool.close({ timeoutMs: BUDGET_MS }));
    expect(pool.status).toBe('closed');
    expect(report.drained).toBe(report.cutCommands + report.cutLeases === 0);
    await everySettled(calls);
  });

  test.each(Object.keys(STATES))('%s, called twice at once', async (name) => {
    const { pool, calls } = await enter(name);
    const close = () => pool.close({ timeoutMs: BUDGET_MS });
    const [first, second] = await timed(() => Promise.all([close(), close()]));
    expect(second).toBe(first);
    await everySettled(calls);
  });

  test.each(Object.keys(STATES))('%s, cut short by destroy()', async (name) => {
    const { pool, calls } = await enter(name);
    const closed = pool.close({ timeoutMs: 60_000 });
    pool.destroy();
    await timed(() => closed);
    await everySettled(calls);
  });
});

async function enter(name: string) {
  const state = STATES[name] as State;
  return state({ server, proxy, open: (options) => openPool({ url: proxy.url, ...options }) });
}

async function timed<T>(action: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await action();
  expect(performance.now() - startedAt).toBeLessThan(BUDGET_MS + GRACE_MS);
  return result;
}

/** With the end of the pool at the latest, every caller has an answer or an error. */
async function everySettled(calls: readonly Promise<Outcome>[]): Promise<void> {
  const pending = Symbol('pending');
  const late = new Promise((resolve) => setImmediate(resolve, pending));
  for (const call of calls) expect(await Promise.race([call, late])).not.toBe(pending);
}

async function untilBlocked(at: RedisServer, count: number): Promise<void> {
  const blocked = async () =>
    /blocked_clients:(\d+)/.exec(String(await at.adminCommand('INFO', 'clients')))?.[1];
  await waitUntil(async () => Number(await blocked()) === count, { what: `${count} blocked clients` });
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
