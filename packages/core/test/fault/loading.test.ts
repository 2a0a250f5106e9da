import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RedisPool, RedisPoolOptions } from '../../src/index.js';
import { errorOf, expectIdle, outcomeOf, usePools } from './pool-harness.js';

const KEYS = 120;
const LAST_KEY = `key:${KEYS - 1}`;
/** The longest pause between two questions, and a slow machine. */
const SOON_MS = 900;

let server: RedisServer;
let proxy: FaultProxy;
/** When it was, on the clock of `performance.now()`. */
let loaded: Promise<number> | undefined;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  // So that a server that loads looks at its clients after every kilobyte.
  const args = ['--loading-process-events-interval-bytes', '1024', '--rdbcompression', 'no'];
  server = await startRedis({ args: [...args, '--repl-diskless-sync-delay', '0'] });
  for (let index = 0; index < KEYS; index += 1)
    await server.adminCommand('SET', `key:${index}`, 'x'.repeat(2_000));
  await server.adminCommand('SAVE');
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  await loaded;
  await proxy.close();
});

/** Restarts the server, which then loads for so long, and opens a pool that has found it so. */
async function openWhileLoading(loadMs: number, options: RedisPoolOptions = {}): Promise<RedisPool> {
  await server.kill();
  const delay = String(Math.round((loadMs * 1_000) / KEYS));
  loaded = server.restart({ args: ['--key-load-delay', delay] }).then(() => performance.now());
  const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 5, maxDelayMs: 20 }, ...options });
  pool.ready().catch(() => {});
  await waitUntil(() => pool.stats().loading, { what: 'the server was found loading' });
  return pool;
}

test('a server that loads is waited for on one connection, which is of use as soon as it has loaded', async () => {
  const lines: string[] = [];
  const note = (_fields: object, message?: string): void => void lines.push(message ?? '');
  const logger = { debug: note, info: note, warn: note, error: note };
  const pool = await openWhileLoading(1_200, { logger });
  const before = pool.stats();
  expect(before).toMatchObject({ status: 'connecting', connectFailures: 0, loading: true });
  const calls = [pool.get(LAST_KEY), pool.lease((lease) => lease.strlen(LAST_KEY))];
  await pool.ready({ timeoutMs: 10_000 });
  expect(performance.now() - Number(await loaded)).toBeLessThan(SOON_MS);
  expect(await Promise.all(calls)).toEqual(['x'.repeat(2_000), 2_000]);
  const { connectAttempts, connectFailures, errorReplies, loading, errors } = pool.stats();
  expect({ connectFailures, errorReplies, loading, errors }).toEqual({
    connectFailures: 0,
    errorReplies: 0,
    loading: false,
    errors: before.errors,
  });
  // The lease came after it.
  expect(connectAttempts - before.connectAttempts).toBe(1);
  expect(lines.filter((line) => line.includes('loads its data'))).toHaveLength(1);
  expectIdle(pool);
});

test('an outage that ends in loading ends with it, however long the pauses have grown', async () => {
  const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 100, maxDelayMs: 60_000 } });
  await pool.ready();
  await server.kill();
  const restarted = server.restart({ args: ['--key-load-delay', '8000'] });
  await waitUntil(() => pool.stats().loading, { what: 'the server was found loading' });
  expect(pool.status).toBe('degraded');
  const loadedAt = await restarted.then(() => performance.now());
  await pool.ready();
  expect(performance.now() - loadedAt).toBeLessThan(SOON_MS);
});

test('a call fails at its own deadline, and says why it waited', async () => {
  const pool = await openWhileLoading(1_500, { commandTimeoutMs: 100, acquireTimeoutMs: 100 });
  const [command, lease, ready] = await Promise.all([
    errorOf(pool.set('key', 'value')),
    errorOf(pool.blpop('list', 0)),
    errorOf(pool.ready({ timeoutMs: 100 })),
  ]);
  expect(command).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false, retryable: true });
  expect(String(command.cause)).toContain('LOADING');
  expect(lease).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', maybeExecuted: false });
  expect(ready.message).toContain('LOADING');
  expect(pool.stats()).toMatchObject({ loading: true, connectFailures: 0 });
});

test('whoever waits for it can be called off', async () => {
  const pool = await openWhileLoading(1_500);
  const controller = new AbortController();
  const { signal } = controller;
  const scope = pool.scope({ signal });
  const ends = [errorOf(scope.get('key')), errorOf(scope.blpop('list', 0)), errorOf(pool.ready({ signal }))];
  const reason = new Error('enough');
  controller.abort(reason);
  expect(await Promise.all(ends)).toEqual([reason, reason, reason]);
  expect(pool.stats().loading).toBe(true);
});

test.each<[what: string, end: (pool: RedisPool) => Promise<unknown>]>([
  ['close()', (pool) => pool.close({ timeoutMs: 100 })],
  ['destroy()', async (pool) => pool.destroy()],
])('%s leaves a server that loads at once', async (_, end) => {
  const pool = await openWhileLoading(1_200);
  const call = outcomeOf(pool.get('key'));
  await end(pool);
  expect((await call).error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
  await waitUntil(() => proxy.connectionCount === 0, { what: 'the connection is closed' });
});

test('after ten times connectTimeoutMs of loading the address is looked up anew, which is no failure', async () => {
  const pool = await openWhileLoading(2_000, { connectTimeoutMs: 60 });
  const first = pool.stats().connectAttempts;
  await waitUntil(() => pool.stats().connectAttempts === first + 1, { what: 'a second connection' });
  await loaded;
  await pool.ready();
  expect(pool.stats().connectFailures).toBe(0);
});

test('a server that falls silent while it loads fails the attempt', async () => {
  const pool = await openWhileLoading(1_000, { connectTimeoutMs: 100 });
  proxy.swallowReplies();
  await waitUntil(() => pool.stats().connectFailures > 0, { what: 'the attempt has failed' });
  expect(pool.stats().loading).toBe(false);
  expect(pool.stats().errors.RP_ERR_CONNECT_TIMEOUT).toBeGreaterThan(0);
  await proxy.heal();
  await pool.ready({ timeoutMs: 10_000 });
});

test('a connection that is up hears LOADING as any other reply, and stays', async () => {
  const replica = await startRedis({
    args: ['--key-load-delay', '8000', '--loading-process-events-interval-bytes', '1024'],
  });
  try {
    const pool = openPool({ url: replica.url });
    await pool.ready();
    // It takes all data from its master, in the middle of its life.
    await replica.adminCommand('REPLICAOF', server.host, server.port);
    let told: unknown;
    const isTold = async (): Promise<boolean> => {
      told = (await outcomeOf(pool.get(LAST_KEY))).error;
      return told !== undefined;
    };
    await waitUntil(isTold, { what: 'a call was refused' });
    expect((told as Error).message).toMatch(/^LOADING/);
    await waitUntil(async () => (await outcomeOf(pool.strlen(LAST_KEY))).value === 2_000, {
      what: 'the data are there',
    });
    expect(pool.stats()).toMatchObject({ connectAttempts: 1, lostConnections: 0, loading: false });
    pool.destroy();
  } finally {
    await replica.stop();
  }
});
