import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, outcomeOf, untilAtRest, untilParked, untilWaiting, usePools } from './lease-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const openPool = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});

describe('many parked commands', () => {
  // How little they cost a GET is measured by bench/src/parked.ts, and not asserted here.
  test('leave the lane free: GETs are answered while fifty wait', async () => {
    const pool = openPool({ url: server.url, maxConnections: 60 });
    const parked = Array.from({ length: 50 }, (_, index) =>
      index % 2 === 0
        ? pool.blpop(`list:${index}`, 0)
        : pool.xread('BLOCK', 0, 'STREAMS', `stream:${index}`, '$'),
    );
    await untilParked(server, 50);
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, index) => pool.set(`key:${index}`, 'x')),
    );
    expect(new Set(replies)).toEqual(new Set(['OK']));
    expect(pool.stats()).toMatchObject({
      leases: { leased: 50, blocking: 50 },
      connections: { used: 51, max: 60 },
    });
    await untilParked(server, 50);
    await Promise.all(
      parked.map((_, index) =>
        index % 2 === 0
          ? pool.rpush(`list:${index}`, `${index}`)
          : pool.xadd(`stream:${index}`, '1-1', 'n', `${index}`),
      ),
    );
    const delivered = await Promise.all(parked);
    expect(delivered).toEqual(
      parked.map((_, index) =>
        index % 2 === 0 ? [`list:${index}`, `${index}`] : [[`stream:${index}`, [['1-1', ['n', `${index}`]]]]],
      ),
    );
  });

  test('ten thousand at once stay within the default cap: the rest wait, or fail with the right code', async () => {
    const pool = openPool({ url: server.url, acquireTimeoutMs: 2_500 });
    await pool.ready();
    let most = 0;
    let watching = true;
    const watch = (async () => {
      while (watching) most = Math.max(most, (await server.clients()).length);
    })();
    const calls = Array.from({ length: 10_000 }, () => outcomeOf(pool.blpop('list', 0)));
    const { maxWaiting, maxConnections } = { maxWaiting: 1_000, maxConnections: 20 };
    await untilParked(server, maxConnections - 1);
    expect(pool.stats().leases.waiting).toBeLessThanOrEqual(maxWaiting);
    // One connection serves several of those who wait, one after the other.
    await pool.rpush('list', ...Array.from({ length: 100 }, (_, index) => `${index}`));
    await untilWaiting(pool, 0);
    const { leases } = pool.stats();
    expect(leases).toMatchObject({ leased: maxConnections - 1, blocking: maxConnections - 1 });
    await pool.rpush('list', ...Array.from({ length: maxConnections - 1 }, (_, index) => `last:${index}`));
    const outcomes = await Promise.all(calls);
    watching = false;
    await watch;
    const codes = new Map<string, number>();
    for (const { error, value } of outcomes) {
      const code = error === undefined ? (value === null ? 'null' : 'delivered') : `${codeOf(error)}`;
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    const delivered = 100 + maxConnections - 1;
    const full = codes.get('RP_ERR_QUEUE_FULL') ?? 0;
    expect(Object.fromEntries(codes)).toEqual({
      delivered,
      RP_ERR_QUEUE_FULL: full,
      RP_ERR_ACQUIRE_TIMEOUT: 10_000 - delivered - full,
    });
    // maxWaiting wait beside those for whom a connection is being opened, one attempt of four at a time.
    expect(10_000 - full).toBeGreaterThanOrEqual(maxWaiting);
    expect(10_000 - full).toBeLessThanOrEqual(maxWaiting + 4);
    expect(most).toBeLessThanOrEqual(maxConnections);
    expect(most).toBeGreaterThan(maxConnections / 2);
    const values = outcomes.flatMap(({ value }) => (Array.isArray(value) ? [value[1]] : []));
    expect(new Set(values).size).toBe(delivered);
    await untilAtRest(pool);
  });

  test('the cap holds over everything: lanes, parked and held leases, dedicated clients', async () => {
    const pool = openPool({ url: server.url, lanes: 2, maxConnections: 6, acquireTimeoutMs: 50 });
    await pool.ready();
    const client = pool.dedicated('worker');
    await client.ping();
    const lease = await pool.acquire();
    const parked = [pool.blpop('list', 0), pool.blpop('list', 0)];
    await untilParked(server, 2);
    expect(pool.stats().connections).toEqual({ used: 6, max: 6, dedicated: 1 });
    expect(codeOf((await outcomeOf(pool.blpop('list', 0))).error)).toBe('RP_ERR_ACQUIRE_TIMEOUT');
    expect(() => pool.dedicated('another')).toThrow(expect.objectContaining({ code: 'RP_ERR_QUEUE_FULL' }));
    expect(await server.clients()).toHaveLength(6);
    client.disconnect();
    await waitUntil(() => pool.stats().connections.used === 5, { what: 'its place is free' });
    await pool.lease(() => 1);
    await lease.release();
    await pool.rpush('list', 'a', 'b');
    expect(await Promise.all(parked)).toEqual([
      ['list', 'a'],
      ['list', 'b'],
    ]);
  });
});
