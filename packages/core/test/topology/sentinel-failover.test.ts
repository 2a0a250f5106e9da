import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, type SentinelGroup, startSentinels, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, outcomeOf, usePools } from '../fault/pool-harness.js';
import { WriteLog } from './write-log.js';

const DOWN_AFTER_MS = 1_000;
/** What a failover may take beyond that. */
const RECOVERY_MS = 3_000;
/** Acknowledged writes may be lost with a master that dies, if it has not sent them to its replica by then. */
const REPLICATION_LAG_MS = 500;

let group: SentinelGroup;
let master: RedisServer;

useLeakCheck();
const { openPool } = usePools();

beforeEach(async () => {
  group = await startSentinels({ downAfterMs: DOWN_AFTER_MS });
  master = await group.master();
});
afterEach(() => group.stop());

const following = () => ({
  redis: { sentinels: group.sentinels.map(({ host, port }) => ({ host, port })), name: group.name },
});

async function clientsAt(server: RedisServer): Promise<number> {
  return (await server.clients()).length;
}

describe('a master that goes away under a load of writes', () => {
  test.each(['frozen', 'killed'] as const)(
    '%s: writing goes on within down-after + 3 s, and nothing is written twice',
    async (how) => {
      const pool = openPool(following());
      const log = new WriteLog(pool, 20);
      await waitUntil(() => log.acknowledged > 500, { what: 'there is a load' });
      if (how === 'frozen') master.freeze();
      else await master.kill();
      const goneAt = performance.now();
      const next = await group.untilMasterIsNot(master.port);
      await waitUntil(() => log.lastAt > goneAt + DOWN_AFTER_MS, { what: 'writes are acknowledged again' });
      expect(log.lastAt - goneAt).toBeLessThan(DOWN_AFTER_MS + RECOVERY_MS);
      const before = log.acknowledged;
      // The old master believes for some seconds that it is still one.
      if (how === 'frozen') master.thaw();
      await waitUntil(() => log.acknowledged > before + 500, { what: 'the load is there again' });
      await log.stop();
      if (how === 'frozen') expect(await clientsAt(master)).toBe(0);
      const report = await log.compare(next);
      expect(report).toMatchObject({ twice: [], refusedButThere: [] });
      for (const at of report.lostAt) expect(goneAt - at).toBeLessThan(REPLICATION_LAG_MS);
      // What was on its way is not known to anybody: at most one write of each caller.
      expect(report.maybe).toBeLessThanOrEqual(20);
      await pool.close();
    },
  );
});

test('a pool that pauses between two attempts tries at once when there is a new master', async () => {
  const reconnect = { minDelayMs: 30_000, maxDelayMs: 30_000 };
  const pool = openPool({ ...following(), reconnect, commandTimeoutMs: 20_000 });
  await pool.ping();
  await master.kill();
  const goneAt = performance.now();
  expect(await pool.set('app:key', 1)).toBe('OK');
  expect(performance.now() - goneAt).toBeLessThan(DOWN_AFTER_MS + RECOVERY_MS);
  await pool.close();
});

describe('a failover on command', () => {
  test('loses next to nothing of what is acknowledged meanwhile', async () => {
    const pool = openPool(following());
    const log = new WriteLog(pool, 20);
    await waitUntil(() => log.acknowledged > 500, { what: 'there is a load' });
    const next = await group.failOver();
    const before = log.acknowledged;
    await waitUntil(() => log.acknowledged > before + 500, { what: 'the load goes on' });
    await log.stop();
    const report = await log.compare(next);
    expect(report).toMatchObject({ twice: [], refusedButThere: [] });
    // The old master goes on acknowledging for a second: what is lost was on its way at one moment.
    const { lostAt } = report;
    if (lostAt.length > 0) expect(Math.max(...lostAt) - Math.min(...lostAt)).toBeLessThan(250);
    await pool.close();
  });

  test('moves every connection at once, while the old master still answers', async () => {
    const [replica] = (await group.replicas()) as [RedisServer];
    const pool = openPool(following());
    const received: string[] = [];
    await pool.subscribe('app:news', (text) => received.push(String(text)));
    const lease = await pool.acquire();
    const waiting = outcomeOf(pool.blpop('app:queue', 30));
    const client = pool.dedicated('library');
    await Promise.all([pool.set('app:key', 1), lease.set('app:leased', 1), client.set('app:dedicated', 1)]);
    await waitUntil(async () => (await clientsAt(master)) === 5, { what: 'all connections are there' });
    await group.failOver();
    await waitUntil(async () => (await clientsAt(master)) === 0, {
      what: 'the old master has no connection',
    });
    expect((await errorOf(lease.set('app:leased', 2))).code).toBe('RP_ERR_CONNECTION_LOST');
    expect((await waiting).error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
    await lease.release();
    expect(await pool.set('app:key', 2)).toBe('OK');
    expect(await pool.lease((other) => other.incr('app:key'))).toBe(3);
    expect(await client.set('app:dedicated', 2)).toBe('OK');
    await waitUntil(() => pool.publish('app:news', 'hello').then((count) => count > 0), {
      what: 'the subscription is at the new master',
    });
    await waitUntil(() => received.includes('hello'), { what: 'the message arrives' });
    expect(await replica.adminCommand('GET', 'app:key')).toBe('3');
    await pool.close();
  });

  test('takes readers away from the replica that becomes the master', async () => {
    const [replica] = (await group.replicas()) as [RedisServer];
    const reader = openPool({ redis: { ...following().redis, role: 'replica' }, commandTimeoutMs: 30_000 });
    await reader.ping();
    expect(await clientsAt(replica)).toBe(1);
    await group.failOver();
    await waitUntil(async () => (await clientsAt(replica)) === 0, { what: 'the new master has no reader' });
    await reader.close();
  });

  test('is heard of from the Sentinels that are left', async () => {
    const [first, second] = group.sentinels as [RedisServer, RedisServer];
    const pool = openPool(following());
    await pool.ping();
    await waitUntil(async () => (await clientsAt(second)) === 1, {
      what: 'the second Sentinel is listened to',
    });
    await first.kill();
    await group.failOver();
    await waitUntil(async () => (await clientsAt(master)) === 0, {
      what: 'the old master has no connection',
    });
    expect(await pool.set('app:key', 1)).toBe('OK');
    await pool.close();
  });

  test('that nobody heard of is found when a Sentinel is heard again', async () => {
    const [one] = group.sentinels as [RedisServer];
    const sentinels = [{ host: one.host, port: one.port }];
    const pool = openPool({ redis: { ...following().redis, sentinels, updateSentinels: false } });
    await pool.ping();
    await waitUntil(async () => (await clientsAt(one)) === 1, { what: 'the Sentinel is listened to' });
    await one.adminCommand('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await group.failOver();
    await waitUntil(async () => (await clientsAt(master)) === 0, {
      what: 'the old master has no connection',
    });
    expect(await pool.set('app:key', 1)).toBe('OK');
    await pool.close();
  });

  test('ends an attempt that waits for a master which is gone', async () => {
    const pool = openPool({ ...following(), connectTimeoutMs: 20_000, commandTimeoutMs: 20_000 });
    master.freeze();
    const call = pool.set('app:key', 1);
    await sleep(100);
    expect(pool.stats().connectAttempts).toBe(1);
    await group.untilMasterIsNot(master.port);
    const switchedAt = performance.now();
    expect(await call).toBe('OK');
    expect(performance.now() - switchedAt).toBeLessThan(1_000);
    await pool.close();
  });
});
