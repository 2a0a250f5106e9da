import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { errorOf, outcomeOf, usePools } from './pool-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await proxy.close();
});

/** A pool with twenty connections: lanes, a subscriber, and leases that are idle. */
async function withTwenty(options: Parameters<typeof openPool>[0] = {}): Promise<RedisPool> {
  const pool = openPool({ url: proxy.url, lanes: 3, maxConnections: 20, ...options });
  await pool.ready();
  await pool.subscribe('news', () => {});
  const leases = await Promise.all(Array.from({ length: 16 }, () => pool.acquire()));
  for (const lease of leases) await lease.release();
  await waitUntil(() => pool.stats().connections.used === 20, { what: 'twenty connections' });
  return pool;
}

/** Callers that want everything at once, for as long as `isWanted`. */
async function keepCalling(pool: RedisPool, isWanted: () => boolean): Promise<void> {
  while (isWanted()) {
    for (let count = 0; count < 20; count += 1) {
      void outcomeOf(pool.get('key'));
      void outcomeOf(pool.lease((lease) => lease.get('key')));
      void outcomeOf(pool.blpop('list', 1));
    }
    await sleep(20);
  }
}

/** Takes the place of the proxy: connections are accepted and never answered. */
async function listenSilently() {
  const open = new Set<Socket>();
  const seen = { accepted: 0, most: 0 };
  const listener = createServer((socket) => {
    open.add(socket);
    seen.accepted += 1;
    seen.most = Math.max(seen.most, open.size);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    socket.resume();
  });
  proxy.refuse();
  proxy.reset();
  await waitUntil(() => proxy.connectionCount === 0, { what: 'everything is lost' });
  await once(listener.listen(proxy.port, '127.0.0.1'), 'listening');
  const close = async (): Promise<void> => {
    listener.close();
    for (const socket of open) socket.destroy();
    await once(listener, 'close');
  };
  return Object.assign(seen, { close });
}

const isWhole = (pool: RedisPool): boolean => {
  const { lanes, subscriber } = pool.stats();
  return lanes.every(({ up }) => up) && subscriber.connected;
};

test('twenty lost connections make at most fifteen attempts in ten seconds, and the log few lines', async () => {
  const lines: string[] = [];
  const note = (_fields: object, message: string): void => void lines.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const pool = await withTwenty({ logger });
  lines.length = 0;
  const before = proxy.acceptedCount;
  await proxy.acceptAndReset();
  proxy.reset();
  const endsAt = performance.now() + 10_000;
  await keepCalling(pool, () => performance.now() < endsAt);
  expect(proxy.acceptedCount - before).toBeGreaterThan(3);
  expect(proxy.acceptedCount - before).toBeLessThanOrEqual(15);
  expect(lines).toEqual([
    expect.stringContaining('lost its connection to'),
    expect.stringContaining('could not connect to'),
  ]);
  await proxy.heal();
  expect(await pool.set('first', 'after recovery')).toBe('OK');
  await waitUntil(() => isWhole(pool), { what: 'all lanes and the subscriber are back' });
  expect(lines).toHaveLength(3);
}, 30_000);

test('one attempt is in flight until one succeeds, whatever it is for; then the others follow', async () => {
  const reconnect = { minDelayMs: 20, maxDelayMs: 50 };
  const pool = await withTwenty({ connectTimeoutMs: 60, reconnect });
  const silent = await listenSilently();
  let isOver = false;
  const calling = keepCalling(pool, () => !isOver);
  await waitUntil(() => silent.accepted > 8, { what: 'there were some attempts' });
  isOver = true;
  await calling;
  expect(silent.most).toBe(1);
  await silent.close();
  const healedAt = performance.now();
  await proxy.accept();
  await waitUntil(() => isWhole(pool), { what: 'everything is back' });
  expect(performance.now() - healedAt).toBeLessThan(2_000);
});

test('a subscriber that is killed again and again costs nobody else time', async () => {
  const pool = openPool({ url: server.url });
  await pool.ready();
  await pool.subscribe('news', () => {});
  let isOver = false;
  const killing = (async () => {
    while (!isOver) {
      await server.adminCommand('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await sleep(10);
    }
  })();
  await waitUntil(() => pool.stats().subscriber.reconnects >= 4, { what: 'it was killed some times' });
  const { connectAttempts } = pool.stats();
  for (let count = 0; count < 10; count += 1) {
    const startedAt = performance.now();
    const lease = await pool.acquire();
    lease.destroy();
    expect(performance.now() - startedAt).toBeLessThan(500);
  }
  expect(pool.stats().connectAttempts - connectAttempts).toBeLessThanOrEqual(20);
  isOver = true;
  await killing;
});

test('the name of the server is looked up at each attempt', async () => {
  proxy.refuse();
  const lookups = vi.spyOn(dns, 'lookup');
  const pool = openPool({
    redis: { host: 'localhost', port: proxy.port, family: 4 },
    reconnect: { minDelayMs: 5, maxDelayMs: 20 },
  });
  await errorOf(pool.ready({ timeoutMs: 300 }));
  const { connectAttempts } = pool.stats();
  expect(connectAttempts).toBeGreaterThan(3);
  expect(lookups.mock.calls.length).toBeGreaterThanOrEqual(connectAttempts - 1);
});

test('a wrong password is tried rarely', async () => {
  await server.adminCommand('ACL', 'SETUSER', 'app', 'on', '>right', '~*', '+@all');
  const pool = openPool({
    url: `redis://app:wrong@127.0.0.1:${proxy.port}`,
    lanes: 3,
    reconnect: { minDelayMs: 1, maxDelayMs: 2 },
  });
  expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_AUTH' });
  void outcomeOf(pool.subscribe('news', () => {}));
  await sleep(1_500);
  expect(proxy.acceptedCount).toBe(1);
  await server.adminCommand('ACL', 'DELUSER', 'app');
});

test('what is closed while it waits for its turn leaves nothing behind', async () => {
  proxy.refuse();
  const pool = openPool({ url: proxy.url, lanes: 2, reconnect: { minDelayMs: 4_000, maxDelayMs: 5_000 } });
  void outcomeOf(pool.get('key'));
  const subscribing = outcomeOf(pool.subscribe('news', () => {}));
  await waitUntil(() => pool.stats().connectFailures === 1, { what: 'the first attempt has failed' });
  const startedAt = performance.now();
  await pool.close({ timeoutMs: 500 });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect((await subscribing).error).toMatchObject({ code: 'RP_ERR_CLOSING' });
});
