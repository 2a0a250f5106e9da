import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectIdle, LINKS, outcomeOf, useLink, usePools } from './pool-harness.js';

const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 50 };

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
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

describe.each(LINKS)('a lane of age, over the %s link', (link) => {
  useLink(link);

  test.each([1, 3])(
    'gets another connection under load: nothing fails, and the order holds (%i lanes)',
    async (lanes) => {
      const pool = openPool({ url: proxy.url, lanes, laneMaxLifetimeMs: 100, reconnect: FAST_RECONNECT });
      let degraded = 0;
      pool.on('degraded', () => {
        degraded += 1;
      });
      const scopes = Array.from({ length: 5 }, () => pool.scope());
      const endsAt = performance.now() + 2_000;
      let most = 0;
      const next = scopes.map(() => 0);
      const calls: Promise<unknown>[] = [];
      while (performance.now() < endsAt) {
        scopes.forEach((scope, caller) => {
          for (let count = 0; count < 3; count += 1) {
            calls.push(scope.rpush(`list:${caller}`, next[caller] as number));
            next[caller] = (next[caller] as number) + 1;
          }
        });
        most = Math.max(most, pool.stats().connections.used);
        await sleep(1);
      }
      await Promise.all(calls);
      for (let caller = 0; caller < scopes.length; caller += 1) {
        const list = await server.adminCommand('LRANGE', `list:${caller}`, 0, -1);
        expect(list).toEqual(Array.from({ length: next[caller] as number }, (_, index) => String(index)));
      }
      const stats = pool.stats();
      expect(stats.replacedConnections).toBeGreaterThan(5 * lanes);
      expect(stats).toMatchObject({ lostConnections: 0, errorReplies: 0, resends: 0, errors: {} });
      expect(degraded).toBe(0);
      expect(most).toBeLessThanOrEqual(2 * lanes);
      expectIdle(pool);
      await pool.close();
      await waitUntil(() => proxy.connectionCount === 0, { what: 'no connection is left' });
    },
  );

  test('keeps its connection while there is no place for a second one', async () => {
    const pool = openPool({ url: proxy.url, maxConnections: 2, laneMaxLifetimeMs: 50 });
    await pool.ready();
    const lease = await pool.acquire();
    await lease.get('key');
    const { connections } = pool.stats().lanes[0] ?? expect.fail();
    await sleep(300);
    expect(pool.stats().lanes[0]?.connections).toBe(connections);
    expect(pool.stats().connections.used).toBe(2);
    await lease.release();
    expect(await pool.ping()).toBe('PONG');
  });

  test('that loses its old connection before the last answers goes on with the next, in order', async () => {
    const pool = openPool({ url: proxy.url, laneMaxLifetimeMs: 150, reconnect: FAST_RECONNECT });
    let degraded = 0;
    pool.on('degraded', () => {
      degraded += 1;
    });
    await pool.set('key', 'value');
    const clients = String(await server.adminCommand('CLIENT', 'LIST'));
    const old = new RegExp(`id=(\\d+) .*name=${pool.name}:lane:`).exec(clients)?.[1];
    // Of the connections that are open now: the next one works.
    proxy.swallowRepliesThenReset({ afterBytes: 1_000_000 });
    const write = outcomeOf(pool.incr('count'));
    const read = pool.getset('other', 'x').catch(() => pool.get('key'));
    const reads = Array.from({ length: 10 }, () => pool.get('count'));
    await waitUntil(() => pool.stats().lanes[0]?.up === false, { what: 'it waits for the last answers' });
    const later = pool.incr('count');
    await server.adminCommand('CLIENT', 'KILL', 'ID', Number(old));
    expect((await write).error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
    // Sent again, and in front of what was called after them.
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 10 }, () => '1'));
    expect(await later).toBe(2);
    expect(await read).toBe('value');
    expect(pool.stats()).toMatchObject({ lostConnections: 0, replacedConnections: 1 });
    expect(degraded).toBe(0);
    expectIdle(pool);
  });
});
