import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, TransactionFunction } from '../../src/index.js';
import {
  callsAt,
  controlTimer,
  deferred,
  errorOf,
  expectAtRest,
  GRACE_MS,
  leaseClients,
  outcomeOf,
  untilAtRest,
  untilWaiting,
  usePools,
} from './lease-harness.js';

/** Transfers in all; 10,000 take about ten seconds. */
const TRANSFERS = Number(process.env.TRANSFERS ?? 600);
const ACCOUNTS = 10;
const AT_ONCE = 100;

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
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});

/** Changes a watched key from outside in every attempt. */
function alwaysDisturbed(attempts: { count: number }): TransactionFunction {
  return async (read, queue) => {
    attempts.count += 1;
    await read.get('key');
    await server.adminCommand('INCR', 'key');
    queue.set('other', 'never');
  };
}

describe('transaction()', () => {
  test('runs what was queued in one piece, and resolves with its replies', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('stock', '3');
    const replies = await pool.transaction(['stock', Buffer.from('sold')], async (read, queue) => {
      const stock = Number(await read.get('stock'));
      queue
        .set('stock', stock - 1)
        .incr('sold')
        .getBuffer('stock');
    });
    expect(replies).toEqual(['OK', 1, Buffer.from('2')]);
    expectAtRest(pool);
    expect(pool.stats()).toMatchObject({ conflicts: 0, leases: { idle: 1 } });
  });

  test('starts again when a watched key changed, with fresh reads', async () => {
    const pool = openPool({ url: server.url });
    const seen: unknown[] = [];
    const replies = await pool.transaction(['key'], async (read, queue) => {
      seen.push(await read.get('key'));
      if (seen.length <= 3) await server.adminCommand('SET', 'key', `${seen.length}`);
      queue.get('key');
    });
    expect(seen).toEqual([null, '1', '2', '3']);
    expect(replies).toEqual(['3']);
    expect(pool.stats().conflicts).toBe(3);
    expect(await leaseClients(server, pool)).toHaveLength(1);
  });

  test.each([
    [0, 1],
    [2, 3],
    [undefined, 21],
  ])('with retries %s gives up after %i attempts, with nothing written', async (retries, attempts) => {
    const pool = openPool({ url: server.url });
    const made = { count: 0 };
    const error = await errorOf(pool.transaction(['key'], alwaysDisturbed(made), { retries }));
    expect(error).toMatchObject({ code: 'RP_ERR_CONFLICT', retryable: true, maybeExecuted: false });
    expect(error.message).toContain(`${attempts} attempts`);
    expect(made.count).toBe(attempts);
    expect(await pool.exists('other')).toBe(0);
    expect(pool.stats().conflicts).toBe(attempts);
    expectAtRest(pool);
  });

  test('gives up at the deadline of one command, however many retries are left', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 150 });
    await pool.lease(() => 1);
    const begunAt = performance.now();
    const error = await errorOf(
      pool.transaction(['key'], alwaysDisturbed({ count: 0 }), { retries: 1_000_000 }),
    );
    expect(error).toMatchObject({ code: 'RP_ERR_CONFLICT' });
    expect(performance.now() - begunAt).toBeLessThan(150 + 2 * GRACE_MS);
  });

  test('pauses between attempts, at random and longer each time', async () => {
    const pool = openPool({ url: server.url });
    const startedAt: number[] = [];
    const disturbed = alwaysDisturbed({ count: 0 });
    await errorOf(
      pool.transaction(
        ['key'],
        (read, queue) => {
          startedAt.push(performance.now());
          return disturbed(read, queue);
        },
        { retries: 14 },
      ),
    );
    const elapsedMs = (startedAt.at(-1) as number) - (startedAt[0] as number);
    // Fourteen pauses of up to 1, 2, 4 ... 32, 50, 50 ms; without any it would take a few ms.
    expect(elapsedMs).toBeGreaterThan(60);
  });

  test('that queues nothing sends no EXEC, and forgets what it watched', async () => {
    const pool = openPool({ url: server.url });
    await server.adminCommand('CONFIG', 'RESETSTAT');
    expect(await pool.transaction(['key'], async (read) => void (await read.get('key')))).toEqual([]);
    const calls = await callsAt(server);
    expect([calls.get('exec'), calls.get('unwatch')]).toEqual([undefined, 1]);
    expectAtRest(pool);
  });

  test('passes on what its function throws, with nothing written and nothing watched', async () => {
    const pool = openPool({ url: server.url });
    const failing = pool.transaction(['key'], async (_, queue) => {
      queue.set('key', 'never');
      throw new Error('sold out');
    });
    await expect(failing).rejects.toThrow('sold out');
    expect(await pool.exists('key')).toBe(0);
    const [client] = await leaseClients(server, pool);
    expect(client?.fields.watch ?? '0').toBe('0');
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('passes on the first error reply', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('text', 'x');
    const failing = pool.transaction(['text'], (_, queue) => queue.set('a', '1').incr('text'));
    expect((await errorOf(failing)).message).toContain('not an integer');
    expectAtRest(pool);
  });

  test('watches and writes prefixed keys', async () => {
    const pool = openPool({ url: server.url, redis: { keyPrefix: 'app:' } });
    const seen: unknown[] = [];
    await pool.transaction(['key'], async (read, queue) => {
      seen.push(await read.get('key'));
      if (seen.length === 1) await server.adminCommand('SET', 'app:key', 'changed');
      queue.set('key', 'written');
    });
    expect(seen).toEqual([null, 'changed']);
    expect(await server.adminCommand('GET', 'app:key')).toBe('written');
  });

  test('an option that is none is an error at once', () => {
    const pool = openPool({ url: server.url });
    for (const [keys, retries] of [
      [[], 1],
      ['key', 1],
      [['key'], -1],
      [['key'], 0.5],
    ] as const) {
      expect(() => pool.transaction(keys as unknown as string[], () => 1, { retries })).toThrow(
        expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
      );
    }
  });

  test('loses no update: concurrent transfers keep the exact total', async () => {
    const pool = openPool({ url: server.url, acquireTimeoutMs: 60_000, commandTimeoutMs: 60_000 });
    const accounts = Array.from({ length: ACCOUNTS }, (_, index) => `account:${index}`);
    for (const account of accounts) await pool.set(account, '1000');
    let started = 0;
    let moved = 0;
    const transfer = async (): Promise<void> => {
      const [from, to] = twoOf(accounts);
      const amount = 1 + Math.floor(Math.random() * 100);
      const replies = await pool.transaction(
        [from, to],
        async (read, queue) => {
          const [balance, other] = (await read.mget(from, to)).map(Number) as [number, number];
          if (balance >= amount) queue.set(from, balance - amount).set(to, other + amount);
        },
        { retries: 1_000 },
      );
      if (replies.length > 0) moved += 1;
    };
    const worker = async (): Promise<void> => {
      while (started < TRANSFERS) {
        started += 1;
        await transfer();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const balances = (await pool.mget(accounts)).map(Number);
    expect(balances.reduce((sum, balance) => sum + balance)).toBe(ACCOUNTS * 1_000);
    expect(Math.min(...balances)).toBeGreaterThanOrEqual(0);
    expect(started).toBe(TRANSFERS);
    expect(moved).toBeGreaterThan(TRANSFERS / 2);
    // They did come in each other's way; otherwise this would show nothing.
    const { conflicts } = pool.stats();
    expect(conflicts).toBeGreaterThan(0);
    if (TRANSFERS >= 5_000) console.log(`${TRANSFERS} transfers: ${moved} moved, ${conflicts} conflicts`);
    expectAtRest(pool);
  }, 300_000);
});

describe('the end of a transaction', () => {
  test('by the signal of its scope comes between two attempts; the one that runs is finished', async () => {
    const pool = openPool({ url: server.url });
    const controller = new AbortController();
    const reason = new Error('the client hung up');
    const scope = pool.scope({ signal: controller.signal });
    const finishing = scope.transaction(['first'], async (_, queue) => {
      controller.abort(reason);
      queue.set('first', 'written');
    });
    expect(await finishing).toEqual(['OK']);
    const other = new AbortController();
    const attempts = { count: 0 };
    const disturbed = alwaysDisturbed(attempts);
    const retrying = errorOf(
      pool.scope({ signal: other.signal }).transaction(['key'], (read, queue) => {
        if (attempts.count === 2) other.abort(reason);
        return disturbed(read, queue);
      }),
    );
    expect(await retrying).toBe(reason);
    expect(attempts.count).toBe(3);
    expect(await pool.exists('other')).toBe(0);
    expectAtRest(pool);
  });

  test('by the deadline of its scope', async () => {
    const pool = openPool({ url: server.url });
    await pool.lease(() => 1);
    const scope = pool.scope({ timeoutMs: 100, label: 'a job' });
    const error = await errorOf(
      scope.transaction(['key'], alwaysDisturbed({ count: 0 }), { retries: 100_000 }),
    );
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
    expectAtRest(pool);
  });

  test('by the loss of its connection', async () => {
    const pool = openPool({ url: server.url });
    const error = await errorOf(
      pool.transaction(['key'], async (read, queue) => {
        const id = await read.client('ID');
        queue.set('key', 'never');
        await server.adminCommand('CLIENT', 'KILL', 'ID', `${id}`);
      }),
    );
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST' });
    expect(await pool.exists('key')).toBe(0);
    await untilAtRest(pool);
  });

  test('by the loss of its WATCH or of a read: nothing was sent that writes', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 300 });
    const readAndQueue: TransactionFunction = async (read, queue) => {
      queue.set('key', `${await read.get('key')}`);
    };
    const never = { maybeExecuted: false, retryable: true };
    await pool.lease(() => 1);
    server.freeze();
    const watch = await errorOf(pool.transaction(['key'], readAndQueue));
    expect(watch).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', ...never });
    expect(watch.timeSpent).toMatchObject({ serverMs: expect.any(Number) });
    server.thaw();
    const late = pool.transaction(['key'], (read, queue) => {
      server.freeze();
      return readAndQueue(read, queue);
    });
    expect(await errorOf(late)).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', ...never });
    server.thaw();
    const lost = pool.transaction(['key'], async (read, queue) => {
      await read.client('ID');
      server.freeze();
      const reading = readAndQueue(read, queue);
      await Promise.all([reading, server.kill()]);
    });
    expect(await errorOf(lost)).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', ...never });
    await server.restart();
    expect(await pool.exists('key')).toBe(0);
  });

  test('by the loss of its EXEC, of a write ahead of it, or of somebody else: it may have run', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 300 });
    const losses: TransactionFunction[] = [
      (_, queue) => {
        queue.incr('count');
        server.freeze();
      },
      async (read) => {
        await read.incr('ahead');
        server.freeze();
        await read.get('key');
      },
      async (read) => {
        server.freeze();
        await read.incr('ahead');
      },
      async (read) => {
        await read.get('key');
        server.freeze();
        await pool.incr('count');
      },
    ];
    for (const lose of losses) {
      const error = await errorOf(pool.transaction(['key'], lose));
      server.thaw();
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true, retryable: false });
    }
  });

  test('by close() in the middle: it is finished when it comes to an end in time', async () => {
    const pool = openPool({ url: server.url });
    const begun = deferred();
    const goOn = deferred();
    const running = pool.transaction(['key'], async (read, queue) => {
      begun.resolve();
      await goOn.promise;
      queue.set('key', `${await read.get('key')}`);
    });
    await begun.promise;
    const closing = pool.close();
    expect(pool.status).toBe('draining');
    goOn.resolve();
    expect(await running).toEqual(['OK']);
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await server.adminCommand('GET', 'key')).toBe('null');
  });

  test('by close() of which it does not come to an end in time: nothing is written', async () => {
    const pool = openPool({ url: server.url });
    const begun = deferred();
    const goOn = deferred();
    const running = errorOf(
      pool.transaction(['key'], async (_, queue) => {
        begun.resolve();
        await goOn.promise;
        queue.set('key', 'never');
      }),
    );
    await begun.promise;
    const report = await pool.close({ timeoutMs: 100 });
    expect(report).toMatchObject({ drained: false, cutCommands: 0, cutLeases: 1 });
    goOn.resolve();
    expect(await running).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
    expect(await server.adminCommand('EXISTS', 'key')).toBe(0);
  });

  test('that waits for a lease: by its signal, at acquireTimeoutMs, and by close()', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2, acquireTimeoutMs: 200 });
    const lease = await pool.acquire();
    const controller = new AbortController();
    const aborted = errorOf(pool.scope({ signal: controller.signal }).transaction(['key'], () => 1));
    const late = errorOf(pool.transaction(['key'], () => 1));
    await untilWaiting(pool, 2);
    controller.abort(new Error('enough'));
    expect((await aborted).message).toBe('enough');
    expect(await late).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT' });
    const closed = errorOf(pool.transaction(['key'], () => 1));
    await untilWaiting(pool, 1);
    const closing = pool.close({ timeoutMs: 1_000 });
    expect(await closed).toMatchObject({ code: 'RP_ERR_CLOSING' });
    await lease.release();
    expect(await closing).toMatchObject({ drained: true });
  });

  test('of a server that froze comes at the deadline of the command that it waits for', async () => {
    const pool: RedisPool = openPool({ url: server.url, commandTimeoutMs: 150 });
    await pool.lease(() => 1);
    server.freeze();
    const running = outcomeOf(pool.transaction(['key'], () => 1));
    const control = controlTimer(150);
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    server.thaw();
    await waitUntil(() => pool.stats().leases.idle === 0, { what: 'the connection is closed' });
  });
});

function twoOf(accounts: readonly string[]): [string, string] {
  const from = Math.floor(Math.random() * accounts.length);
  const to = (from + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length;
  return [accounts[from] as string, accounts[to] as string];
}
