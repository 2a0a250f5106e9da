import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { block, errorOf, LINKS, outcomeOf, useLink, usePools } from './pool-harness.js';

/** The shortest time after which a silent server counts as gone. */
const STALL_MS = 1_000;
/** What looking once in a while, and a machine with other work, may add. */
const SLACK_MS = 1_500;
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
  vi.restoreAllMocks();
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

const optionsOf = (url: string) => ({
  url,
  commandTimeoutMs: 300,
  connectTimeoutMs: 200,
  reconnect: FAST_RECONNECT,
});

describe.each(LINKS)('a server that is gone without a word, over the %s link', (link) => {
  useLink(link);

  test('is noticed by what it does not answer, and the pool recovers as soon as a new connection is', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), heartbeatMs: 0 });
    await pool.set('key', 'value');
    proxy.blackHole();
    const startedAt = performance.now();
    await errorOf(pool.incr('lost'));
    expect(pool.status).toBe('ready');
    await waitUntil(() => pool.stats().stalls === 1, { what: 'the silence is noticed' });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(STALL_MS - 300);
    expect(performance.now() - startedAt).toBeLessThan(STALL_MS + SLACK_MS);
    await waitUntil(() => pool.status === 'degraded', { what: 'the connection is given up' });
    await proxy.heal();
    const healedAt = performance.now();
    await pool.ready({ timeoutMs: 5_000 });
    expect(performance.now() - healedAt).toBeLessThan(SLACK_MS);
    expect(await pool.get('key')).toBe('value');
    expect(pool.stats()).toMatchObject({ stalls: 1, lostConnections: 1 });
  });

  test('tells the writes that were on their way so, and sends reads again', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), commandTimeoutMs: 1_000, heartbeatMs: 0 });
    await pool.set('key', 'value');
    proxy.blackHole();
    const first = outcomeOf(pool.incr('first'));
    await sleep(800);
    const [write, read] = [outcomeOf(pool.incr('count')), pool.get('key')];
    expect((await first).error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    const { error } = await write;
    await proxy.heal();
    expect(error).toMatchObject({
      code: 'RP_ERR_CONNECTION_LOST',
      maybeExecuted: true,
      cause: { message: expect.stringMatching(/^The server has sent nothing for \d+ ms/) },
    });
    expect(await read).toBe('value');
  });

  test('is noticed by a heartbeat where nobody has called', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), heartbeatMs: 200 });
    await pool.ready();
    await waitUntil(() => pool.stats().heartbeats > 2, { what: 'heartbeats' });
    expect(pool.stats()).toMatchObject({ stalls: 0, heartbeatsFailed: 0, lostConnections: 0 });
    proxy.blackHole();
    await waitUntil(() => pool.stats().heartbeatsFailed === 1, { what: 'an unanswered heartbeat' });
    await proxy.heal();
    await pool.ready({ timeoutMs: 5_000 });
    expect(await pool.ping()).toBe('PONG');
  });
});

describe('a connection', () => {
  test('is left alone while anything comes, however late each reply is', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), heartbeatMs: 100 });
    await pool.ready();
    proxy.delay({ ms: 700, direction: 'toClient' });
    const endsAt = performance.now() + 3_000;
    while (performance.now() < endsAt) {
      outcomeOf(pool.get('key'));
      await sleep(100);
    }
    expect(pool.stats()).toMatchObject({ stalls: 0, lostConnections: 0 });
    expect(pool.stats().errors.RP_ERR_COMMAND_TIMEOUT).toBeGreaterThan(10);
  });

  test('gets no PING while replies come', async () => {
    const pool = openPool({ ...optionsOf(server.url), heartbeatMs: 400 });
    await pool.ready();
    const endsAt = performance.now() + 1_500;
    while (performance.now() < endsAt) {
      await pool.get('key');
      await sleep(20);
    }
    expect(pool.stats().heartbeats).toBe(0);
  });

  test('gets no PING with heartbeatMs 0', async () => {
    const pool = openPool({ ...optionsOf(server.url), heartbeatMs: 0 });
    await pool.ready();
    await sleep(1_200);
    expect(pool.stats().heartbeats).toBe(0);
  });

  test('outlives an application that blocks the event loop for longer than any limit', async () => {
    const pool = openPool({ ...optionsOf(server.url), heartbeatMs: 200 });
    await pool.set('key', 'value');
    const call = pool.get('key');
    block(2 * STALL_MS);
    expect(await call).toBe('value');
    await sleep(600);
    expect(await pool.get('key')).toBe('value');
    const { stalls, lostConnections, eventLoop } = pool.stats();
    expect({ stalls, lostConnections }).toEqual({ stalls: 0, lostConnections: 0 });
    expect(eventLoop.longestMs).toBeGreaterThan(STALL_MS);
    expect(eventLoop.blockedMs).toBeGreaterThanOrEqual(eventLoop.longestMs);
  });

  test('is made in time although the application blocks the event loop meanwhile', async () => {
    const pool = openPool({ ...optionsOf(server.url), connectTimeoutMs: 250 });
    const ready = pool.ready({ timeoutMs: 5_000 });
    // Between any two steps of the handshake.
    const timer = setInterval(() => block(260), 1);
    await ready;
    clearInterval(timer);
    expect(pool.stats()).toMatchObject({ connectAttempts: 1, errors: {} });
  });

  test('that died while the machine slept is noticed in seconds, whatever the heartbeat', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), commandTimeoutMs: 60_000, heartbeatMs: 0 });
    await pool.ready();
    proxy.blackHole();
    // Asleep, the clock of timers stands still and the one on the wall does not.
    const { now } = Date;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    await waitUntil(() => pool.stats().heartbeatsFailed === 1, { what: 'the dead connection is noticed' });
    await proxy.heal();
    await pool.ready({ timeoutMs: 5_000 });
    expect(await pool.ping()).toBe('PONG');
  });
});

describe('a lease', () => {
  test('whose server sends nothing for as long as a command may take ends with that command', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), commandTimeoutMs: 1_000, heartbeatMs: 0 });
    await pool.lease(async (lease) => {
      await lease.set('key', 'value');
      proxy.blackHole();
      expect(await errorOf(lease.incr('count'))).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
      // At once, and not after another second.
      const startedAt = performance.now();
      expect(await errorOf(lease.get('key'))).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST' });
      expect(performance.now() - startedAt).toBeLessThan(500);
    });
    expect(pool.stats().stalls).toBeGreaterThanOrEqual(1);
    await proxy.heal();
  });

  test('keeps its connection while a command waits at the server on purpose', async () => {
    const pool = openPool({ ...optionsOf(server.url), commandTimeoutMs: 1_000, heartbeatMs: 100 });
    await pool.lease(async (lease) => {
      const waiting = lease.blpop('list', 3);
      const behind = outcomeOf(lease.get('key'));
      expect((await behind).error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
      await pool.rpush('list', 'element');
      expect(await waiting).toEqual(['list', 'element']);
    });
    expect(pool.stats().stalls).toBe(0);
  });

  test('that is idle is looked after by heartbeats, and one that is held is not', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), minIdleLeases: 1, heartbeatMs: 200 });
    await pool.ready();
    await waitUntil(() => pool.stats().leases.idle === 1, { what: 'an idle lease' });
    await pool.lease(async (lease) => {
      await lease.multi({ pipeline: false });
      await lease.set('key', 'value');
      await sleep(1_000);
      // With a PING in between there would be two replies.
      expect(await lease.exec()).toEqual([[null, 'OK']]);
    });
    await pool.get('key');
    proxy.blackHole();
    await waitUntil(() => pool.stats().leases.idle === 0, { what: 'the idle leases are found dead' });
    expect(pool.stats().heartbeatsFailed).toBeGreaterThanOrEqual(1);
    await proxy.heal();
    await pool.ready({ timeoutMs: 5_000 });
  });
});

describe('the subscriber', () => {
  test('whose server is gone without a word is replaced, and told of the gap', async () => {
    const pool = openPool({ ...optionsOf(proxy.url), heartbeatMs: 200 });
    let gaps = 0;
    const messages: string[] = [];
    const onGap = (): void => {
      gaps += 1;
    };
    await pool.subscribe('news', (message) => void messages.push(message), { onGap });
    await sleep(800);
    expect(gaps).toBe(0);
    proxy.blackHole();
    await waitUntil(() => !pool.stats().subscriber.connected, { what: 'the silence is noticed' });
    await proxy.heal();
    await waitUntil(() => gaps === 1, { what: 'the gap is told' });
    await pool.publish('news', 'again');
    await waitUntil(() => messages.length === 1, { what: 'the message' });
  });
});
