import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { callsAt, expectIdle, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

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
afterEach(() => proxy.close());

async function openLanes(lanes: number, url = proxy.url): Promise<RedisPool> {
  const pool = openPool({ url, lanes, reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
  await pool.ready();
  await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
  return pool;
}

const numbers = (length: number) => Array.from({ length }, (_, index) => `${index}`);

describe.each(LINKS)('lanes over the %s link', (link) => {
  useLink(link);

  test('are named connections of their own, one by default', async () => {
    const one = openPool({ name: 'one', url: server.url });
    await one.ready();
    const three = openPool({ name: 'three', url: server.url, lanes: 3 });
    await three.ready();
    await waitUntil(() => three.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
    const names = (await server.clients()).map(({ name }) => name).sort();
    const name = (pool: string) => `${pool}:lane:${process.pid}`;
    expect(names).toEqual([name('one'), name('three'), name('three'), name('three')]);
    expect(three.stats().connections).toMatchObject({ used: 3 });
  });

  test('are all used, and one caller keeps its order on any of them', async () => {
    const pool = await openLanes(3);
    proxy.delay({ ms: 0, jitterMs: 15 });
    const callers = 24;
    const length = 200;
    await Promise.all(
      Array.from({ length: callers }, async (_, id) => {
        const scope = pool.scope();
        const calls: Promise<unknown>[] = [];
        for (let index = 0; index < length; index += 1) {
          calls.push(scope.rpush(`list:${id}`, index));
          // Sometimes all is answered, and the caller may change its lane; mostly not.
          if (index % 40 === 39) await Promise.all(calls);
          else if (index % 7 === 6) await new Promise((resolve) => setImmediate(resolve));
        }
        expect(await Promise.all(calls)).toEqual(Array.from({ length }, (_, index) => index + 1));
      }),
    );
    for (let id = 0; id < callers; id += 1) {
      expect(await server.adminCommand('LRANGE', `list:${id}`, 0, -1)).toEqual(numbers(length));
    }
    for (const { commands } of pool.stats().lanes) expect(commands).toBeGreaterThan((callers * length) / 10);
    expectIdle(pool);
  });

  test('hold a caller to one lane as long as a command of it is unanswered, also one that timed out', async () => {
    const pool = openPool({ url: proxy.url, lanes: 3, commandTimeoutMs: 40 });
    await pool.ready();
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
    const scope = pool.scope();
    proxy.delay({ ms: 150, direction: 'toServer' });
    const late = Array.from({ length: 10 }, (_, index) => outcomeOf(scope.rpush('list', index)));
    for (const { error } of await Promise.all(late))
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    // On another lane these would be there first once nothing holds them up.
    proxy.delay({ ms: 0, direction: 'toServer' });
    const more = Array.from({ length: 10 }, (_, index) => outcomeOf(scope.rpush('list', 10 + index)));
    await Promise.all(more);
    await waitUntil(async () => (await server.adminCommand('LLEN', 'list')) === 20, {
      what: 'all have arrived',
    });
    expect(await server.adminCommand('LRANGE', 'list', 0, -1)).toEqual(numbers(20));
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'nothing is pending' });
    expect(pool.stats().lanes.filter(({ commands }) => commands > 0)).toHaveLength(1);
  });

  test('take over from one that is lost, in order, and nothing runs twice', async () => {
    const pool = await openLanes(3);
    const scopes = Array.from({ length: 12 }, () => pool.scope());
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const acknowledged = scopes.map(() => [] as number[]);
    const maybe = scopes.map(() => new Set<number>());
    for (let round = 0; round < 15; round += 1) {
      const calls = scopes.flatMap((scope, id) =>
        Array.from({ length: 10 }, async (_, index) => {
          const number = round * 10 + index;
          const { error } = await outcomeOf(scope.rpush(`list:${id}`, number));
          if (error === undefined) acknowledged[id]?.push(number);
          else if ((error as { maybeExecuted?: boolean }).maybeExecuted) maybe[id]?.add(number);
        }),
      );
      if (round % 3 === 1) {
        const victim = (await server.clients())[round % 2];
        await server.adminCommand('CLIENT', 'KILL', 'ID', Number(victim?.id)).catch(() => {});
      }
      await Promise.all(calls);
    }
    let ran = 0;
    for (const [id] of scopes.entries()) {
      const list = ((await server.adminCommand('LRANGE', `list:${id}`, 0, -1)) as string[]).map(Number);
      ran += list.length;
      expect(list).toEqual([...new Set(list)].sort((a, b) => a - b));
      const missing = acknowledged[id]?.filter((number) => !list.includes(number));
      expect(missing).toEqual([]);
      const unexplained = list.filter(
        (number) => !acknowledged[id]?.includes(number) && !maybe[id]?.has(number),
      );
      expect(unexplained).toEqual([]);
    }
    expect(await callsAt(server, 'rpush')).toBe(ran);
    expect(pool.stats().lostConnections).toBeGreaterThan(2);
  });

  test('keep a chain together on one lane', async () => {
    const pool = await openLanes(3);
    const scopes = Array.from({ length: 30 }, () => pool.scope());
    const results = await Promise.all(
      scopes.map((scope, id) => scope.multi().set(`key:${id}`, id).get(`key:${id}`).incr('all').exec()),
    );
    for (const [id, result] of results.entries()) {
      expect(result?.slice(0, 2)).toEqual([
        [null, 'OK'],
        [null, `${id}`],
      ]);
    }
    expect(await pool.get('all')).toBe('30');
  });

  test('let a caller go on while a large reply keeps another lane busy', async () => {
    await server.adminCommand('SETRANGE', 'large', 8_000_000, 'x');
    const pool = await openLanes(2);
    // On each connection: the large reply gets stuck, and the small ones pass beside it.
    proxy.stallAfter(100_000, 'toClient');
    const large = pool.scope().getBuffer('large');
    let isThere = false;
    void large.then(() => {
      isThere = true;
    });
    const other = pool.scope();
    for (let count = 0; count < 20; count += 1) expect(await other.ping()).toBe('PONG');
    expect(isThere).toBe(false);
    await proxy.heal();
    expect((await large)?.length).toBe(8_000_001);
  });
});
