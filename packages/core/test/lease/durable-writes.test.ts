import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  controlTimer,
  deferred,
  errorOf,
  expectAtRest,
  GRACE_MS,
  outcomeOf,
  untilAtRest,
  untilParked,
  untilWaiting,
  usePools,
} from './lease-harness.js';

let primary: RedisServer;
let replica: RedisServer;

useLeakCheck(() => [primary]);
const openPool = usePools();

beforeAll(async () => {
  primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  replica = await startRedis({ args: ['--replicaof', primary.host, `${primary.port}`] });
  await untilInSync();
});
afterAll(() => Promise.all([primary.stop(), replica.stop()]));
beforeEach(async () => {
  await primary.adminCommand('FLUSHALL');
  await untilInSync();
});
afterEach(async () => {
  if (replica.status === 'frozen') replica.thaw();
  if (primary.status === 'frozen') primary.thaw();
});

/** WAIT asks the replica, which tells only once a second by itself how far it is. */
async function untilInSync(): Promise<void> {
  const isInSync = async (): Promise<boolean> => {
    // WAIT is for what there was at the command before it.
    await primary.adminCommand('PING');
    return (await primary.adminCommand('WAIT', 1, 500)) === 1;
  };
  await waitUntil(isInSync, { timeoutMs: 15_000, what: 'the replica is in sync' });
}

describe('writeDurably()', () => {
  test('resolves with the replies and the replicas that have the writes', async () => {
    const pool = openPool({ url: primary.url });
    const result = await pool.writeDurably((queue) => queue.set('key', 'value').incr('counter'), {
      replicas: 1,
      timeoutMs: 5_000,
    });
    expect(result).toEqual({ replies: ['OK', 1], replicas: 1 });
    expect(await replica.adminCommand('GET', 'key')).toBe('value');
    expectAtRest(pool);
  });

  test('with a replica that is frozen reports none, after its own time and not before', async () => {
    const pool = openPool({ url: primary.url });
    await pool.lease(() => 1);
    await untilInSync();
    replica.freeze();
    const begunAt = performance.now();
    const result = await pool.writeDurably((queue) => queue.set('key', 'value'), {
      replicas: 1,
      timeoutMs: 200,
    });
    expect(result).toEqual({ replies: ['OK'], replicas: 0 });
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(199);
    replica.thaw();
    await untilInSync();
  });

  // Facts 24: on another connection than that of the write, WAIT answers at once, for nothing.
  test('waits on the connection of the writes, while the lane would say otherwise', async () => {
    const pool = openPool({ url: primary.url });
    const before = await pool.acquire();
    await untilInSync();
    replica.freeze();
    await pool.set('on the lane', 'x');
    // What that connection knows of is older than the write.
    expect(await before.wait(1, 100)).toBe(1);
    const here = await pool.writeDurably((queue) => queue.set('key', 'x'), { replicas: 1, timeoutMs: 100 });
    expect(here.replicas).toBe(0);
    await before.release();
    replica.thaw();
    await untilInSync();
  });

  test('waits longer than commandTimeoutMs where it is told to', async () => {
    const pool = openPool({ url: primary.url, commandTimeoutMs: 200 });
    await pool.lease(() => 1, { timeoutMs: 5_000 });
    replica.freeze();
    const result = await pool.writeDurably((queue) => queue.set('key', 'x'), { replicas: 1, timeoutMs: 500 });
    expect(result.replicas).toBe(0);
    expect(pool.stats().errors).toEqual({});
    replica.thaw();
    await untilInSync();
  });

  test('rejects with the first error reply, and with what its function throws', async () => {
    const pool = openPool({ url: primary.url });
    await pool.set('text', 'x');
    const options = { replicas: 1, timeoutMs: 1_000 };
    expect((await errorOf(pool.writeDurably((queue) => queue.incr('text'), options))).message).toContain(
      'not an integer',
    );
    const failing = pool.writeDurably(() => {
      throw new Error('not today');
    }, options);
    await expect(failing).rejects.toThrow('not today');
    expectAtRest(pool);
  });

  test('an option that is none is an error at once', () => {
    const pool = openPool({ url: primary.url });
    for (const options of [
      { replicas: 0, timeoutMs: 100 },
      { replicas: 1.5, timeoutMs: 100 },
      { replicas: 1, timeoutMs: 0 },
      { replicas: 1, timeoutMs: Number.POSITIVE_INFINITY },
    ]) {
      expect(() => pool.writeDurably(() => 1, options)).toThrow(
        expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
      );
    }
  });

  test('that waits for a lease ends by its signal, at acquireTimeoutMs, and by close()', async () => {
    const pool = openPool({ url: primary.url, maxConnections: 2, acquireTimeoutMs: 200 });
    const options = { replicas: 1, timeoutMs: 1_000 };
    const lease = await pool.acquire();
    const controller = new AbortController();
    const aborted = errorOf(
      pool.scope({ signal: controller.signal }).writeDurably((q) => q.set('a', '1'), options),
    );
    const late = errorOf(pool.writeDurably((queue) => queue.set('a', '1'), options));
    await untilWaiting(pool, 2);
    controller.abort(new Error('enough'));
    expect((await aborted).message).toBe('enough');
    expect(await late).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', maybeExecuted: false });
    const closed = errorOf(pool.writeDurably((queue) => queue.set('a', '1'), options));
    await untilWaiting(pool, 1);
    const closing = pool.close();
    expect(await closed).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
    await lease.release();
    await closing;
    expect(await primary.adminCommand('EXISTS', 'a')).toBe(0);
  });

  test('is left to finish by an abort and by close(): the writes are done, and how many have them is told', async () => {
    const pool = openPool({ url: primary.url });
    replica.freeze();
    const controller = new AbortController();
    const running = pool
      .scope({ signal: controller.signal })
      .writeDurably((queue) => queue.set('key', 'x'), { replicas: 1, timeoutMs: 300 });
    await untilParked(primary, 1);
    controller.abort(new Error('enough'));
    const closing = pool.close();
    expect(await running).toEqual({ replies: ['OK'], replicas: 0 });
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    replica.thaw();
    await untilInSync();
  });

  test('of a primary that froze ends at its own time and commandTimeoutMs', async () => {
    const pool = openPool({ url: primary.url, commandTimeoutMs: 100 });
    await pool.lease(() => 1, { timeoutMs: 5_000 });
    primary.freeze();
    const running = outcomeOf(
      pool.writeDurably((queue) => queue.set('key', 'x'), { replicas: 1, timeoutMs: 100 }),
    );
    const control = controlTimer(200);
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    primary.thaw();
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(0);
    await untilInSync();
  });

  test('WAIT on a lease waits for its own time, and is refused elsewhere', async () => {
    const pool = openPool({ url: primary.url, commandTimeoutMs: 200 });
    const parked = deferred();
    replica.freeze();
    const replicas = pool.lease(
      async (lease) => {
        await lease.set('key', 'x');
        const waiting = lease.wait(1, 500);
        parked.resolve();
        return waiting;
      },
      { timeoutMs: 5_000 },
    );
    await parked.promise;
    expect(await replicas).toBe(0);
    expect(() => pool.call('WAIT', '1', '100')).toThrow(/writeDurably/);
    expect(() => pool.pipeline().call('wait', '1', '100')).toThrow(/writeDurably/);
    replica.thaw();
    await untilInSync();
  });
});
