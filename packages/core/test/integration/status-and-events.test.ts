import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PoolEvent, RedisPool } from '../../src/index.js';
import { deferred, errorOf, outcomeOf, usePools } from '../fault/pool-harness.js';

const EVENTS = ['ready', 'degraded', 'restored', 'close'] as const satisfies readonly PoolEvent[];
const FAST_RECONNECT = { minDelayMs: 1, maxDelayMs: 5 };

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool, joinPool } = usePools();

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

/** Every event of a pool with the status at its moment. */
function journalOf(pool: RedisPool): string[] {
  const journal: string[] = [];
  for (const event of EVENTS) pool.on(event, () => journal.push(`${event} (${pool.stats().status})`));
  return journal;
}

describe('status and events', () => {
  test('follow a pool through its life', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    const journal = journalOf(pool);
    expect(pool.status).toBe('connecting');
    await pool.ready();
    expect(pool.status).toBe('ready');
    for (let round = 0; round < 2; round += 1) {
      proxy.refuse();
      proxy.reset();
      await waitUntil(() => pool.status === 'degraded', { what: 'the pool is degraded' });
      await proxy.heal();
      await waitUntil(() => pool.status === 'ready', { what: 'the pool is ready' });
    }
    await pool.close();
    expect(pool.status).toBe('closed');
    expect(journal).toEqual([
      'ready (ready)',
      'degraded (degraded)',
      'restored (ready)',
      'degraded (degraded)',
      'restored (ready)',
      'close (closed)',
    ]);
  });

  test('a pool that drains says so, and refuses with CLOSING what comes meanwhile', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.delay({ ms: 80, direction: 'toClient' });
    const scope = pool.scope();
    const running = outcomeOf(pool.set('key', 'value'));
    const closing = pool.close();
    expect(pool.status).toBe('draining');
    const refused = { code: 'RP_ERR_CLOSING', maybeExecuted: false, statusCode: 503, retryable: true };
    expect(await errorOf(pool.get('key'))).toMatchObject(refused);
    expect(await errorOf(scope.get('key'))).toMatchObject(refused);
    expect(await errorOf(pool.pipeline().get('key').exec())).toMatchObject(refused);
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect(await running).toMatchObject({ value: 'OK' });
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0 });
    expect(pool.status).toBe('closed');
    expect(await errorOf(pool.get('key'))).toMatchObject({
      code: 'RP_ERR_CLOSED',
      maybeExecuted: false,
      retryable: false,
    });
  });

  test('a handle that is closed is closed, whatever the others do', async () => {
    const pool = openPool({ name: 'handles', url: server.url });
    await pool.ready();
    const other = joinPool('handles');
    await other.close();
    expect(other.status).toBe('closed');
    expect(pool.status).toBe('ready');
    expect(await errorOf(other.get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED' });
    server.freeze();
    const running = outcomeOf(pool.get('key'));
    const closing = pool.close({ timeoutMs: 100 });
    expect(pool.status).toBe('draining');
    expect(other.status).toBe('closed');
    expect(await errorOf(other.get('key'))).toMatchObject({ code: 'RP_ERR_CLOSED' });
    await closing;
    expect((await running).error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
  });

  test('degraded comes when the last of several lanes is gone, and restored with the first that is back', async () => {
    const pool = openPool({ url: proxy.url, lanes: 3, reconnect: FAST_RECONNECT });
    const journal = journalOf(pool);
    await pool.ready();
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
    const [first] = await server.clients();
    await server.adminCommand('CLIENT', 'KILL', 'ID', Number(first?.id));
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'one lane is lost' });
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'it is back' });
    expect(journal).toEqual(['ready (ready)']);
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded', { what: 'all are lost' });
    await proxy.heal();
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all are back' });
    expect(journal).toEqual(['ready (ready)', 'degraded (degraded)', 'restored (ready)']);
  });

  test('a listener that was taken off hears nothing any more', async () => {
    const pool = openPool({ url: server.url });
    let heard = 0;
    const listener = () => {
      heard += 1;
    };
    pool.on('ready', listener).on('close', listener).off('ready', listener);
    await pool.ready();
    expect(heard).toBe(0);
    await pool.close();
    expect(heard).toBe(1);
  });

  test.each(EVENTS)(
    'a listener of "%s" that throws is uncaught, and keeps the pool from nothing',
    async (event) => {
      const uncaught: unknown[] = [];
      // Vitest and the leak check listen too; the error is expected, and theirs to hear nothing of.
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.on('uncaughtException', (error) => uncaught.push(error));
      try {
        const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
        const bug = new Error(`a bug in a listener of ${event}`);
        const told = deferred();
        pool.on(event, () => {
          throw bug;
        });
        pool.on(event, () => told.resolve());
        const waited = pool.set('key', 'value');
        expect(await waited).toBe('OK');
        proxy.refuse();
        proxy.reset();
        await waitUntil(() => pool.status === 'degraded', { what: 'the pool is degraded' });
        const meanwhile = pool.get('key');
        await proxy.heal();
        expect(await meanwhile).toBe('value');
        expect(pool.stats()).toMatchObject({ status: 'ready', connectFailures: 0, waitingForConnection: 0 });
        expect(await pool.close()).toMatchObject({ drained: true });
        await told.promise;
        await waitUntil(() => uncaught.length > 0, { what: 'the error is uncaught' });
        expect(uncaught).toEqual([bug]);
      } finally {
        process.removeAllListeners('uncaughtException');
        for (const listener of listeners) process.on('uncaughtException', listener);
      }
    },
  );

  test('a pool shows its name and status, and nothing else of its inside', async () => {
    const { inspect } = await import('node:util');
    const pool = openPool({ url: `redis://:s3cret@127.0.0.1:${server.port}`, name: 'shown' });
    const scope = pool.scope({ label: 'GET /things' });
    expect(inspect(pool, { depth: 10, showHidden: true })).toBe(
      "RedisPool { name: 'shown', status: 'connecting' }",
    );
    expect(inspect(scope, { depth: 10, showHidden: true })).toBe("RequestRedis { label: 'GET /things' }");
    expect(JSON.stringify([pool, scope, pool.stats()])).not.toContain('s3cret');
  });
});
