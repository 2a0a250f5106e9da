import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, expectIdle, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

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

/** Commands that the server has processed, by its own count. */
async function processed(): Promise<number> {
  const info = String(await server.adminCommand('INFO', 'stats'));
  return Number(/total_commands_processed:(\d+)/.exec(info)?.[1]);
}

describe.each(LINKS)('stats() over the %s link', (link) => {
  useLink(link);

  test('counts commands as the server does', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const before = await processed();
    await Promise.all(Array.from({ length: 100 }, (_, index) => pool.set(`key:${index}`, 'x')));
    await pool.pipeline().get('key:0').get('key:1').exec();
    await pool.multi().incr('count').incr('count').exec();
    await errorOf(pool.incr('key:0'));
    // The second INFO itself.
    expect((await processed()) - before - 1).toBe(107);
    const stats = pool.stats();
    expect(stats).toMatchObject({
      status: 'ready',
      commands: 107,
      errorReplies: 1,
      resends: 0,
      lostConnections: 0,
      connectAttempts: 1,
      connectFailures: 0,
      errors: {},
    });
    expect(stats.lanes).toHaveLength(1);
    expect(stats.lanes[0]).toMatchObject({ up: true, link, commands: 107, connections: 1 });
    expect(stats.latency.count).toBe(107);
    expectIdle(pool);
  });

  test('shows what is pending, in flight, unsent and how old it is', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    const calls = Array.from({ length: 40 }, (_, index) =>
      outcomeOf(pool.set(`key:${index}`, 'x'.repeat(500_000))),
    );
    await new Promise((resolve) => setTimeout(resolve, 60));
    const { pending, lanes, waitingForConnection } = pool.stats();
    expect(pending.commands).toBe(40);
    expect(pending.bytes).toBeGreaterThan(20_000_000);
    expect(pending.bytes).toBeLessThan(20_100_000);
    expect(waitingForConnection).toBe(0);
    expect(lanes[0]).toMatchObject({ inFlight: 40 });
    expect(lanes[0]?.unsentBytes).toBeGreaterThan(5_000_000);
    expect(lanes[0]?.oldestMs).toBeGreaterThanOrEqual(55);
    await proxy.heal();
    for (const { value } of await Promise.all(calls)) expect(value).toBe('OK');
    expectIdle(pool);
  });

  test('counts each error of the pool by its code, and each lost connection once', async () => {
    const pool = openPool({
      url: proxy.url,
      commandTimeoutMs: 80,
      maxPending: { commands: 3 },
      retryReads: 1,
      reconnect: { minDelayMs: 1, maxDelayMs: 5 },
    });
    await pool.ready();
    server.freeze();
    const calls = Array.from({ length: 5 }, () => outcomeOf(pool.incr('key')));
    await Promise.all(calls);
    proxy.reset();
    server.thaw();
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'the connection is lost' });
    await waitUntil(() => pool.status === 'ready', { what: 'the pool is back' });
    expect(pool.stats().errors).toMatchObject({ RP_ERR_COMMAND_TIMEOUT: 3, RP_ERR_QUEUE_FULL: 2 });
    proxy.refuse();
    proxy.reset();
    await outcomeOf(pool.get('key'));
    expect(pool.stats()).toMatchObject({ lostConnections: 2, errors: { RP_ERR_UNAVAILABLE: 1 } });
    expect(pool.stats().connectFailures).toBeGreaterThan(0);
    await proxy.heal();
    await waitUntil(() => pool.status === 'ready', { what: 'the pool is back again' });
    const { errors, connectAttempts, connectFailures, lanes } = pool.stats();
    expect(connectFailures).toBe(0);
    expect(lanes[0]?.connections).toBe(3);
    expect(connectAttempts).toBe(3 + Number(errors.RP_ERR_CONNECT));
  });

  test('gathers the writes of one turn of the event loop', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 100 }, () => pool.get('key')));
    }
    const { flushes, commandsPerFlush, commands } = pool.stats().lanes[0] ?? expect.fail();
    expect(commands).toBe(2_000);
    expect(flushes).toBeLessThan(400);
    expect(commandsPerFlush).toBeCloseTo(commands / flushes);
  });

  test('is a snapshot: what was taken stays as it was', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('key', 'value');
    const first = pool.stats();
    const copy = structuredClone(first);
    await pool.get('key');
    expect(first).toEqual(copy);
    expect(pool.stats().commands).toBe(first.commands + 1);
  });
});
