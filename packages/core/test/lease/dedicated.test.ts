import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, usePools } from './lease-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const openPool = usePools();

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

async function namesAtServer(): Promise<string[]> {
  return (await server.clients()).map(({ name }) => name).sort();
}

describe('dedicated()', () => {
  test('is a real ioredis, named after its label, that waits through outages and has no prefix', async () => {
    const pool = openPool({ url: server.url, name: 'app', redis: { keyPrefix: 'prefix:' } });
    const client = pool.dedicated('worker');
    expect(client).toBeInstanceOf(Redis);
    expect(client.options.maxRetriesPerRequest).toBe(null);
    await client.set('key', 'value');
    expect(await server.adminCommand('GET', 'key')).toBe('value');
    expect(await namesAtServer()).toEqual([`app:worker:${process.pid}`]);
    expect(await client.blpop('list', 0.01)).toBe(null);
  });

  test('takes overrides, and the database and the protocol of the pool', async () => {
    const pool = openPool({ url: `${server.url}/3`, redis: { protocol: 2 } });
    const client = pool.dedicated('worker', { keyPrefix: 'jobs:', connectionName: 'ignored' });
    await client.set('key', 'value');
    const other = pool.dedicated('other', { db: 5 });
    await other.ping();
    const clients = await server.clients();
    expect(clients.map(({ db, fields }) => [db, fields.resp]).sort()).toEqual([
      [3, '2'],
      [5, '2'],
    ]);
    expect(await other.call('SELECT', '3')).toBe('OK');
    expect(await other.get('jobs:key')).toBe('value');
  });

  test('counts in the cap, its duplicates too, and gives its place back when it ends', async () => {
    const pool = openPool({ url: server.url, maxConnections: 4 });
    const client = pool.dedicated('worker');
    const duplicate = client.duplicate();
    const third = duplicate.duplicate({ db: 1 });
    expect(pool.stats().connections).toEqual({ used: 4, max: 4, dedicated: 3 });
    const full = expect.objectContaining({ code: 'RP_ERR_QUEUE_FULL', maybeExecuted: false });
    expect(() => pool.dedicated('another')).toThrow(full);
    expect(() => third.duplicate()).toThrow(full);
    await Promise.all([client.ping(), duplicate.ping(), third.ping()]);
    expect(await namesAtServer()).toEqual(Array(3).fill(`${pool.name}:worker:${process.pid}`));
    await duplicate.quit();
    await waitUntil(() => pool.stats().connections.dedicated === 2, { what: 'its place is free' });
    await pool.dedicated('another').ping();
    expect(pool.stats().connections).toEqual({ used: 4, max: 4, dedicated: 3 });
  });

  test('that was ended and connects again takes a place again, if there is one', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const client = pool.dedicated('worker');
    await client.ping();
    client.disconnect();
    await waitUntil(() => pool.stats().connections.dedicated === 0, { what: 'it has ended' });
    await client.connect();
    expect(await client.ping()).toBe('PONG');
    expect(pool.stats().connections).toEqual({ used: 2, max: 2, dedicated: 1 });
    client.disconnect();
    await waitUntil(() => pool.stats().connections.dedicated === 0, { what: 'it has ended again' });
    const lease = await pool.acquire();
    await errorOf(client.connect());
    expect(pool.stats().connections).toEqual({ used: 2, max: 2, dedicated: 0 });
    await lease.release();
  });

  test('closes an idle lease to make room, never one that is used', async () => {
    const pool = openPool({ url: server.url, maxConnections: 3 });
    const held = await pool.acquire();
    await pool.lease(() => 1);
    expect(pool.stats()).toMatchObject({ leases: { leased: 1, idle: 1 }, connections: { used: 3 } });
    const client = pool.dedicated('worker');
    expect(pool.stats()).toMatchObject({
      leases: { leased: 1, idle: 0 },
      connections: { used: 3, dedicated: 1 },
    });
    expect(() => pool.dedicated('another')).toThrow(expect.objectContaining({ code: 'RP_ERR_QUEUE_FULL' }));
    expect(await client.ping()).toBe('PONG');
    expect(await held.ping()).toBe('PONG');
    await held.release();
  });

  // Regression: ioredis's disconnect() said nothing between two attempts, and the place was gone until close().
  test('that is ended between two attempts gives its place back, and rejects what it queued', async () => {
    const pool = openPool({ url: proxy.url });
    const client = pool.dedicated('worker', { retryStrategy: () => 60_000 });
    await client.ping();
    await proxy.refuse();
    proxy.reset();
    await waitUntil(() => client.status === 'reconnecting', { what: 'it waits for its next attempt' });
    const queued = errorOf(client.get('key'));
    client.disconnect();
    await waitUntil(() => pool.stats().connections.dedicated === 0, { what: 'its place is free' });
    expect(await queued).toMatchObject({ message: 'Connection is closed.' });
    expect(client.status).toBe('end');
  });

  test('that ends lets a caller have a lease who waits for one', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const client = pool.dedicated('worker');
    await client.ping();
    const waiting = pool.lease((lease) => lease.ping());
    await waitUntil(() => pool.stats().leases.waiting === 1, { what: 'it waits' });
    client.disconnect();
    expect(await waiting).toBe('PONG');
  });

  test('asks for credentials at each attempt, and tries again when they cannot be had', async () => {
    await server.adminCommand('ACL', 'SETUSER', 'rotating', 'on', '>first', '~*', '&*', '+@all');
    let password = 'first';
    let asked = 0;
    const pool = openPool({
      url: server.url,
      credentials: async () => {
        asked += 1;
        if (asked === 1) throw new Error('the vault is closed');
        return { username: 'rotating', password };
      },
    });
    const client = pool.dedicated('worker', { retryStrategy: () => 1 });
    expect(await client.call('ACL', 'WHOAMI')).toBe('rotating');
    await server.adminCommand('ACL', 'SETUSER', 'rotating', 'resetpass', '>second');
    password = 'second';
    const [{ id } = { id: 0 }] = await server.clients();
    await server.adminCommand('CLIENT', 'KILL', 'ID', `${id}`);
    await waitUntil(async () => (await server.clients()).some((other) => other.id > id), {
      what: 'it is back',
    });
    expect(await client.call('ACL', 'WHOAMI')).toBe('rotating');
    expect(asked).toBe(3);
    await pool.close();
    await server.adminCommand('ACL', 'DELUSER', 'rotating');
  });

  test('never prints an error of its own: the logger is told', async () => {
    const told: object[] = [];
    const log = (fields: object): void => void told.push(fields);
    const logger = { info() {}, warn() {}, error() {}, debug: log };
    await proxy.refuse();
    const pool = openPool({ url: proxy.url, logger });
    pool.dedicated('worker');
    await waitUntil(() => told.length > 0, { what: 'the failure is logged' });
    expect(told[0]).toMatchObject({
      pool: pool.name,
      client: 'worker',
      cause: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('refuses a label that does not fit into a name, and everything after close()', async () => {
    const pool = openPool({ url: server.url });
    for (const label of ['', 'with space', 'x'.repeat(65)]) {
      expect(() => pool.dedicated(label)).toThrow(expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }));
    }
    const client = pool.dedicated('worker');
    const closing = pool.close();
    const atEnd = { code: expect.stringMatching(/^RP_ERR_CLOS(ING|ED)$/) };
    expect(() => pool.dedicated('late')).toThrow(expect.objectContaining(atEnd));
    expect(() => client.duplicate()).toThrow(expect.objectContaining(atEnd));
    await closing;
    expect(() => pool.dedicated('late')).toThrow(expect.objectContaining({ code: 'RP_ERR_CLOSED' }));
    await errorOf(client.connect());
    expect(await server.clients()).toEqual([]);
  });
});

describe('dedicated clients that connect again', () => {
  const PAUSE_MS = 150;
  const reconnect = { minDelayMs: PAUSE_MS, maxDelayMs: 2 * PAUSE_MS };

  test('do so one after another, with pauses that all of them share, and all come back', async () => {
    const pool = openPool({ url: proxy.url, reconnect });
    const clients = Array.from({ length: 5 }, () => pool.dedicated('worker'));
    await Promise.all(clients.map((client) => client.ping()));
    await proxy.acceptAndReset();
    const before = proxy.acceptedCount;
    proxy.reset();
    await waitUntil(() => proxy.acceptedCount > before, { what: 'the first attempt' });
    const begunAt = performance.now();
    await waitUntil(() => proxy.acceptedCount >= before + 5, { what: 'the fifth attempt' });
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(4 * PAUSE_MS - 20);
    await proxy.heal();
    expect(await Promise.all(clients.map((client) => client.ping()))).toEqual(Array(5).fill('PONG'));
    // It says nothing about what others would meet.
    expect(pool.stats()).toMatchObject({ connectFailures: 0, errors: {} });
  });

  test('hold up nobody while their own attempt comes to nothing', async () => {
    await server.adminCommand('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all');
    let asked = 0;
    const pool = openPool({
      url: server.url,
      reconnect,
      connectTimeoutMs: 200,
      credentials: () => {
        asked += 1;
        return asked === 1 ? new Promise(() => {}) : { username: 'app', password: 'pw' };
      },
    });
    pool.dedicated('stuck');
    await waitUntil(() => asked === 1, { what: 'it has its turn' });
    await pool.ready({ timeoutMs: 5_000 });
    const wrong = pool.dedicated('wrong', { db: 99 });
    await waitUntil(() => wrong.status === 'ready', { what: 'it is up' });
    expect(await pool.ping()).toBe('PONG');
    expect(pool.stats()).toMatchObject({ status: 'ready', connectFailures: 0 });
    await pool.close();
    await server.adminCommand('ACL', 'DELUSER', 'app');
  });

  test('keep a retryStrategy of their own, and elsewhere that of ioredis', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 60_000, maxDelayMs: 60_000 } });
    const client = pool.dedicated('worker');
    await client.ping();
    const elsewhere = client.duplicate({ port: server.port });
    expect(elsewhere.options.retryStrategy?.(3)).toBeGreaterThan(10);
    await elsewhere.ping();
    // It is not paused for what becomes of the others.
    const [{ id } = { id: 0 }] = (await server.clients())
      .filter(({ name }) => name.includes('worker'))
      .slice(-1);
    await server.adminCommand('CLIENT', 'KILL', 'ID', `${id}`);
    expect(await elsewhere.ping()).toBe('PONG');
    const never = pool.dedicated('never', { retryStrategy: () => null });
    await never.ping();
    proxy.reset();
    await waitUntil(() => never.status === 'end', { what: 'it has ended' });
  });

  test('end while they wait for their turn', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 60_000, maxDelayMs: 60_000 } });
    await proxy.acceptAndReset();
    const client = pool.dedicated('worker');
    await waitUntil(() => proxy.acceptedCount > 0, { what: 'the first attempt' });
    await waitUntil(() => client.status === 'connecting', { what: 'it waits for its turn' });
    const queued = errorOf(client.get('key'));
    await pool.close({ timeoutMs: 500 });
    expect((await queued).message).toBe('Connection is closed.');
    expect(client.status).toBe('end');
  });
});

describe('close() with dedicated clients', () => {
  test('ends them and their duplicates; what they had waiting rejects', async () => {
    const pool = openPool({ url: server.url });
    const client = pool.dedicated('worker');
    const duplicate = client.duplicate();
    const parked = errorOf(client.blpop('list', 0));
    await duplicate.ping();
    await waitUntil(async () => (await server.clients()).some(({ flags }) => flags.includes('b')), {
      what: 'it waits',
    });
    const report = await pool.close();
    expect(report.drained).toBe(true);
    expect((await parked).message).toContain('closed');
    expect([client.status, duplicate.status]).toEqual(['end', 'end']);
    expect(pool.stats().connections.dedicated).toBe(0);
  });

  test.each<[when: string, prepare: () => unknown]>([
    ['that was never connected', () => proxy.acceptAndSilence()],
    ['whose server refuses', () => proxy.refuse()],
    ['whose server resets', () => proxy.acceptAndReset()],
  ])('ends one %s, with what it queued, and leaves no timer behind', async (_, prepare) => {
    await prepare();
    const pool = openPool({ url: proxy.url });
    const client = pool.dedicated('worker');
    const queued = errorOf(client.get('key'));
    await waitUntil(() => client.status !== 'wait', { what: 'it tries to connect' });
    const report = await pool.close({ timeoutMs: 500 });
    expect(report.durationMs).toBeLessThan(550);
    expect((await queued).message).toBe('Connection is closed.');
    expect(client.status).toBe('end');
    expect(pool.stats().connections.dedicated).toBe(0);
  });

  // Regression: between two attempts disconnect() told nobody, and left what was queued pending for ever.
  test('ends one between two attempts, with what it queued, and leaves no timer behind', async () => {
    const pool = openPool({ url: proxy.url });
    const client = pool.dedicated('worker', { retryStrategy: () => 60_000 });
    await client.ping();
    const running = errorOf(client.blpop('list', 0));
    proxy.reset();
    await waitUntil(() => client.status === 'reconnecting', { what: 'it waits for its next attempt' });
    const queued = errorOf(client.get('key'));
    await pool.close({ timeoutMs: 500 });
    expect((await queued).message).toBe('Connection is closed.');
    expect((await running).message).toBe('Connection is closed.');
    expect(client.status).toBe('end');
    expect(pool.stats().connections.dedicated).toBe(0);
  });

  test('ends one with a frozen server within its budget', async () => {
    const pool = openPool({ url: server.url });
    const client = pool.dedicated('worker');
    await client.ping();
    const running = errorOf(client.get('key'));
    server.freeze();
    const report = await pool.close({ timeoutMs: 300 });
    expect(report.durationMs).toBeLessThan(350);
    expect((await running).message).toBe('Connection is closed.');
    expect(client.status).toBe('end');
    server.thaw();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server agrees' });
  });

  test('ends one whose credentials do not come', async () => {
    const pool = openPool({ url: server.url, credentials: () => new Promise(() => {}) });
    const client = pool.dedicated('worker');
    const queued = errorOf(client.get('key'));
    await pool.close({ timeoutMs: 300 });
    expect((await queued).message).toBe('Connection is closed.');
    expect(client.status).toBe('end');
  });
});
