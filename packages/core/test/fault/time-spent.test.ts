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
import type { RequestRedis, TimeSpent } from '../../src/index.js';
import { block, errorOf, outcomeOf, usePools } from './pool-harness.js';

const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 20 };
const LIMIT_MS = 400;

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

function open(options: Parameters<typeof openPool>[0] = {}) {
  return openPool({ url: proxy.url, commandTimeoutMs: LIMIT_MS, reconnect: FAST_RECONNECT, ...options });
}

/** The parts of the time, which have to add up to the whole. */
function partsOf(error: Record<string, unknown> & Error, leastMs = LIMIT_MS - 1): TimeSpent {
  const spent = error.timeSpent as Record<string, number>;
  const sum = Object.values(spent).reduce((total, ms) => total + ms, 0);
  expect(sum).toBeGreaterThanOrEqual(leastMs);
  expect(sum).toBeLessThan(LIMIT_MS + 600);
  for (const [key, ms] of Object.entries(spent)) expect(error.message, key).toContain(`${ms} ms `);
  return spent;
}

describe('a call that took too long says where the time went:', () => {
  test('the server', async () => {
    const pool = open();
    await pool.ready();
    server.freeze();
    const error = await errorOf(pool.get('key'));
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    expect(partsOf(error).serverMs).toBeGreaterThan(LIMIT_MS / 2);
    expect(error.message).toMatch(/Where the time went: \d+ ms waiting for the server/);
  });

  test('a connection', async () => {
    proxy.refuse();
    const error = await errorOf(open().get('key'));
    expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE' });
    expect(partsOf(error).connectionMs).toBeGreaterThan(LIMIT_MS / 2);
  });

  test('a connection first, and then the server', async () => {
    proxy.refuse();
    const pool = open({ hooks: { connect: () => server.freeze() } });
    const call = errorOf(pool.get('key'));
    await sleep(LIMIT_MS / 2);
    await proxy.accept();
    const error = await call;
    const { connectionMs, serverMs } = partsOf(error);
    // The probe of the direct link is still a part of connecting.
    expect(connectionMs).toBeGreaterThan(LIMIT_MS / 3);
    if (error.code === 'RP_ERR_COMMAND_TIMEOUT') expect(serverMs).toBeGreaterThan(0);
  });

  test('the socket, which takes no more', async () => {
    const pool = open();
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    const value = 'x'.repeat(1_000_000);
    const errors = await Promise.all(Array.from({ length: 30 }, () => errorOf(pool.set('key', value))));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
      expect(partsOf(error).socketMs).toBeGreaterThan(LIMIT_MS / 4);
    }
  });

  test('an event loop that the application blocked', async () => {
    const pool = open();
    await pool.ready();
    server.freeze();
    const call = errorOf(pool.get('key'));
    await sleep(100);
    block(LIMIT_MS + 50);
    const error = await call;
    const { blockedMs } = partsOf(error);
    // As far as the timer of the deadline was late.
    expect(blockedMs).toBeGreaterThan(50);
    expect(error.message).toMatch(/\d+ ms blocked event loop/);
  });

  test('a lease that others held', async () => {
    const pool = open({ maxConnections: 2, acquireTimeoutMs: LIMIT_MS });
    await using _held = await pool.acquire();
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT' });
    expect(partsOf(error).leaseMs).toBeGreaterThan(LIMIT_MS / 2);
  });

  test('a lease that needs a connection', async () => {
    proxy.refuse();
    const error = await errorOf(open({ acquireTimeoutMs: LIMIT_MS }).acquire());
    expect(error).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT' });
    expect(partsOf(error).connectionMs).toBeGreaterThan(LIMIT_MS / 2);
  });

  test('the server of a lease', async () => {
    const pool = open();
    await pool.lease(async (lease) => {
      server.freeze();
      const error = await errorOf(lease.get('key'));
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
      expect(partsOf(error).serverMs).toBeGreaterThan(LIMIT_MS / 2);
      server.thaw();
    });
  });

  test.each([
    ['a command', 'serverMs', (scope: RequestRedis) => scope.get('key')],
    ['a pipeline', 'serverMs', (scope: RequestRedis) => scope.pipeline().get('key').exec()],
    ['a question about a command', 'serverMs', (scope: RequestRedis) => scope.call('no.such.command')],
    ['a blocking command', 'serverMs', (scope: RequestRedis) => scope.blpop('empty', 0)],
    ['a lease', 'leaseMs', (scope: RequestRedis) => scope.acquire()],
  ] as const)('a scope of which the deadline passes for %s', async (what, part, call) => {
    const pool = open({ commandTimeoutMs: 10_000, acquireTimeoutMs: 10_000, maxConnections: 2 });
    await pool.ready();
    const held = what === 'a lease' ? await pool.acquire() : undefined;
    if (what !== 'a lease' && what !== 'a blocking command') server.freeze();
    const error = await errorOf(call(pool.scope({ timeoutMs: LIMIT_MS })));
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    // The time of a scope runs from before the call.
    expect(partsOf(error, LIMIT_MS / 2)[part]).toBeGreaterThan(LIMIT_MS / 2);
    await held?.release();
  });

  test.each([
    ['a command', (scope: RequestRedis) => scope.get('key')],
    ['a lease', (scope: RequestRedis) => scope.acquire()],
    ['a blocking command', (scope: RequestRedis) => scope.blpop('empty', 0)],
  ] as const)('a scope of which the deadline passes in an outage for %s', async (_what, call) => {
    proxy.refuse();
    const pool = open({ commandTimeoutMs: 10_000, acquireTimeoutMs: 10_000 });
    const error = await errorOf(call(pool.scope({ timeoutMs: LIMIT_MS })));
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
    expect(partsOf(error, LIMIT_MS / 2).connectionMs).toBeGreaterThan(LIMIT_MS / 2);
  });

  test('but not one that comes when its scope is over: it took none', async () => {
    const pool = open();
    await pool.ready();
    const scope = pool.scope({ timeoutMs: 1 });
    let error: Error | undefined;
    const isRefused = async () => {
      error = (await outcomeOf(scope.get('key'))).error as Error | undefined;
      return error !== undefined && !('timeSpent' in error);
    };
    await waitUntil(isRefused, { what: 'a command is refused' });
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
  });

  test('a subscription', async () => {
    const pool = open();
    await pool.subscribe('first', () => {});
    server.freeze();
    const silent = await errorOf(pool.subscribe('second', () => {}));
    expect(silent).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', timeSpent: { serverMs: LIMIT_MS } });
    server.thaw();
    proxy.refuse();
    const refused = await errorOf(open().subscribe('third', () => {}));
    expect(refused).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', timeSpent: { connectionMs: LIMIT_MS } });
  });
});

describe('an attempt to connect that took too long says what it was at:', () => {
  const connectTimeoutMs = LIMIT_MS;

  test('the handshake', async () => {
    await proxy.acceptAndSilence();
    const pool = open({ connectTimeoutMs });
    const error = await errorOf(pool.ready({ timeoutMs: 3 * LIMIT_MS }));
    expect(error.cause).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
    expect((error.cause as Error).message).toMatch(/still in the handshake/);
  });

  test('the credentials', async () => {
    const pool = open({ connectTimeoutMs, credentials: () => new Promise(() => {}) });
    const error = await errorOf(pool.ready({ timeoutMs: 3 * LIMIT_MS }));
    expect((error.cause as Error).message).toMatch(/still asking for credentials/);
  });

  test('a hook', async () => {
    const pool = open({ connectTimeoutMs, hooks: { connect: () => new Promise(() => {}) } });
    const error = await errorOf(pool.ready({ timeoutMs: 3 * LIMIT_MS }));
    expect((error.cause as Error).message).toMatch(/still in the hook "connect"/);
  });
});
