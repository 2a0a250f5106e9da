import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { errorOf, usePools } from '../fault/pool-harness.js';

const FORGOTTEN_MS = 60;

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});

interface Warning {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

function open(options: RedisPoolOptions = {}) {
  const warnings: Warning[] = [];
  const ignore = (): void => {};
  const warn = (fields: object, message: string): void => {
    warnings.push({ fields: fields as Warning['fields'], message });
  };
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const pool = openPool({ url: server.url, logger, ...options });
  const scopeOf = (label: string, forgottenLeaseMs = FORGOTTEN_MS) => pool.scope({ label, forgottenLeaseMs });
  const untilTaken = (count: number): Promise<unknown> =>
    waitUntil(() => pool.stats().forgottenLeases === count, { what: `${count} leases were taken back` });
  return { pool, warnings, scopeOf, untilTaken };
}

test('a lease that its scope left is taken back, and reported once with whose it was and where it was acquired', async () => {
  const { pool, warnings, scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  const lease = await scope.acquire();
  scope.end();
  scope.end();
  await untilTaken(1);
  expect(lease.released).toBe(true);
  expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 1 });
  expect(warnings).toEqual([
    {
      message:
        `A lease of Redis pool "${pool.name}" was taken back: GET /things has ended and did not use it for ` +
        `${FORGOTTEN_MS} ms (forgottenLeaseMs); release() is missing`,
      fields: {
        pool: pool.name,
        scope: 'GET /things',
        acquiredAt: expect.stringMatching(/forgotten-leases\.test/),
      },
    },
  ]);
  const error = await errorOf(lease.ping());
  expect(error).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED', maybeExecuted: false });
  expect(error.message).toContain(
    `got a command through a lease that was taken back: GET /things had ended and did not use it for ${FORGOTTEN_MS} ms (forgottenLeaseMs)`,
  );
  // The connection is another holder's now.
  const next = await pool.acquire();
  await lease.release();
  lease.destroy();
  expect(await next.ping()).toBe('PONG');
  await next.release();
});

test('a scope that goes on keeps its leases', async () => {
  const { scopeOf, untilTaken } = open();
  const kept = await scopeOf('a job').acquire();
  const left = scopeOf('GET /things');
  await left.acquire();
  left.end();
  await untilTaken(1);
  expect(kept.released).toBe(false);
  await kept.release();
});

test('one that was released in time is not reported, also when that was after the end', async () => {
  const { pool, warnings, scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  const [before, after] = [await scope.acquire(), await scope.acquire()];
  await before.release();
  scope.end();
  await after.release();
  const left = scopeOf('GET /left');
  await left.acquire();
  left.end();
  await untilTaken(1);
  expect(warnings.map(({ fields }) => fields.scope)).toEqual(['GET /left']);
  expect(pool.stats().leases.leased).toBe(0);
});

test('an unanswered command and each use begin the time anew', async () => {
  const { scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  const [busy, used, idle] = [await scope.acquire(), await scope.acquire(), await scope.acquire()];
  let isOver = false;
  // By chains too, which are another way in.
  const using = (async () => {
    while (!isOver) {
      await used.pipeline().ping().exec();
      await new Promise((resolve) => setTimeout(resolve, FORGOTTEN_MS / 6));
    }
  })();
  scope.end();
  const reply = busy.call('DEBUG', 'SLEEP', 0).catch(() => 'answered');
  await untilTaken(2);
  expect([busy.released, used.released, idle.released]).toEqual([true, false, true]);
  expect(await reply).toBe('answered');
  isOver = true;
  await using;
  await untilTaken(3);
});

test('a lease that is busy at the server is not taken, however long that is', async () => {
  const { scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  const [busy, idle] = [await scope.acquire(), await scope.acquire()];
  server.freeze();
  const reply = busy.incr('count');
  scope.end();
  await waitUntil(() => idle.released, { what: 'the one that is not used was taken' });
  const other = scopeOf('GET /other');
  server.thaw();
  expect(await reply).toBe(1);
  expect(busy.released).toBe(false);
  await untilTaken(2);
  other.end();
});

test('a lease that is acquired after the end is watched as well', async () => {
  const { scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  scope.end();
  const lease = await scope.acquire();
  await untilTaken(1);
  expect(lease.released).toBe(true);
});

test('dirty or parked, it goes back clean', async () => {
  const { pool, scopeOf, untilTaken } = open({ maxConnections: 2 });
  const scope = scopeOf('GET /things');
  const lease = await scope.acquire();
  await lease.select(3);
  await lease.watch('key');
  scope.end();
  await untilTaken(1);
  await pool.lease(async (next) => {
    expect(await next.client('INFO')).toMatch(/ db=0 /);
    await next.set('key', 'in database 0');
  });
  expect(await pool.get('key')).toBe('in database 0');
});

test('lease(fn) is for its function alone to give back', async () => {
  const { scopeOf, untilTaken } = open();
  const scope = scopeOf('GET /things');
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const result = scope.lease(async (lease) => {
    await finished;
    return lease.ping();
  });
  scope.end();
  const left = scopeOf('GET /left');
  await left.acquire();
  left.end();
  await untilTaken(1);
  finish();
  expect(await result).toBe('PONG');
});

test('close: a pool that ends watches nothing any more', async () => {
  const { pool, warnings, scopeOf } = open();
  const scope = scopeOf('GET /things', 60_000);
  const lease = await scope.acquire();
  scope.end();
  const closing = pool.close({ timeoutMs: 50 });
  expect(await closing).toMatchObject({ drained: false, cutLeases: 1 });
  expect(await errorOf(lease.ping())).toMatchObject({ code: 'RP_ERR_CLOSED' });
  await lease.release();
  expect(warnings.filter(({ message }) => message.includes('forgottenLeaseMs'))).toEqual([]);
});
