import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, outcomeOf, usePools } from '../fault/pool-harness.js';
import { untilParked, untilWaiting } from '../lease/lease-harness.js';
import { subscribersOf, untilSubscribed } from './scope-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool, joinPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));

/** Two handles on one engine, each with a worker and a subscription of its own and of a scope. */
async function twoHandles(name: string) {
  const own = openPool({ name, url: server.url });
  const other = joinPool(name);
  const wait = async (handle: typeof own) => {
    const scope = handle.scope();
    const parked = [
      handle.blpop('queue', 0),
      scope.blpop('queue', 0),
      handle.pipeline().blpop('queue', 0).exec(),
    ];
    return {
      scope,
      parked: parked.map(outcomeOf),
      subscriptions: [await handle.subscribe('news'), await scope.subscribe('news')],
    };
  };
  const waits = { own: await wait(own), other: await wait(other) };
  await untilParked(server, 6);
  return { own, other, waits };
}

describe('endWaits()', () => {
  test('ends what waits through this handle and its scopes, and nothing of another handle', async () => {
    const { own, other, waits } = await twoHandles('end-waits');
    own.endWaits();
    for (const { error } of await Promise.all(waits.own.parked)) {
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSING' });
    }
    expect(waits.own.subscriptions.map(({ ended }) => ended)).toEqual([true, true]);
    await untilParked(server, 3);
    expect(waits.other.subscriptions.map(({ ended }) => ended)).toEqual([false, false]);
    expect(await subscribersOf(server, 'news')).toBe(1);
    await other.rpush('queue', 'one', 'two', 'three');
    const popped = await Promise.all(waits.other.parked);
    expect(popped.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
  });

  test('refuses new waits, of the handle and of its scopes, also of those made later', async () => {
    const { own, waits } = await twoHandles('end-waits-later');
    own.endWaits();
    await Promise.all(waits.own.parked);
    for (const client of [own, waits.own.scope, own.scope()]) {
      for (const refused of [
        client.blpop('queue', 0),
        client.pipeline().blpop('queue', 0).exec(),
        client.subscribe('news'),
        client.lease((lease) => lease.blpop('queue', 0)),
        client.lease((lease) => lease.pipeline().blpop('queue', 0).exec()),
      ]) {
        const error = await errorOf(refused);
        expect(error).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
        expect(error.message).toContain(`Redis pool "${own.name}" is closing`);
      }
    }
  });

  test('leaves everything else as it is: commands, leases, status, health', async () => {
    const { own, other, waits } = await twoHandles('end-waits-rest');
    own.endWaits();
    own.endWaits();
    await Promise.all(waits.own.parked);
    expect(await own.set('key', 'value')).toBe('OK');
    expect(await waits.own.scope.get('key')).toBe('value');
    expect(await own.lease((lease) => lease.get('key'))).toBe('value');
    expect(await own.transaction(['key'], (_read, queue) => void queue.get('key'))).toEqual(['value']);
    expect(own.status).toBe('ready');
    expect(await own.health()).toMatchObject({ ok: true });
    await own.close();
    expect(other.status).toBe('ready');
  });

  test('leaves who waits for a lease in the queue', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const lease = await pool.acquire();
    const waiting = [pool.acquire(), pool.scope().acquire()];
    await untilWaiting(pool, 2);
    pool.endWaits();
    expect(pool.stats().leases.waiting).toBe(2);
    await lease.release();
    for (const own of waiting) await (await own).release();
  });

  test('before anything was opened, it opens nothing', async () => {
    const pool = openPool({ url: server.url });
    pool.endWaits();
    expect(await errorOf(pool.blpop('queue', 0))).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect(pool.stats().connectAttempts).toBe(0);
  });
});

describe('close() of one of two handles', () => {
  test('ends what waits through it, and leaves the other', async () => {
    const { own, other, waits } = await twoHandles('close-one');
    expect(await own.close()).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    for (const { error } of await Promise.all(waits.own.parked)) {
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    }
    expect(waits.own.subscriptions.map(({ ended }) => ended)).toEqual([true, true]);
    await untilParked(server, 3);
    await other.rpush('queue', 'one', 'two', 'three');
    await Promise.all(waits.other.parked);
    expect(await errorOf(own.ping())).toMatchObject({ code: 'RP_ERR_CLOSED' });
    expect(await errorOf(waits.own.scope.ping())).toMatchObject({ code: 'RP_ERR_CLOSED' });
    expect(await other.ping()).toBe('PONG');
    await other.close();
    expect(waits.other.subscriptions.map(({ ended }) => ended)).toEqual([true, true]);
    await untilSubscribed(server, 'news', 0);
  });

  test('destroy() of one does the same', async () => {
    const { own, other, waits } = await twoHandles('destroy-one');
    own.destroy();
    for (const { error } of await Promise.all(waits.own.parked)) {
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    }
    expect(await other.ping()).toBe('PONG');
    await untilParked(server, 3);
  });
});

test('limits are those given, and the defaults of the others', () => {
  const pool = openPool({ url: server.url, commandTimeoutMs: 1_234, closeTimeoutMs: 77 });
  expect(pool.limits).toEqual({
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 1_234,
    acquireTimeoutMs: 2_000,
    closeTimeoutMs: 77,
  });
});
