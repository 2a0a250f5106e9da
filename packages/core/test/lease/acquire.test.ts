import { getEventListeners } from 'node:events';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisLease, RedisPool } from '../../src/index.js';
import {
  controlTimer,
  errorOf,
  expectAtRest,
  GRACE_MS,
  leaseClients,
  outcomeOf,
  untilAtRest,
  untilWaiting,
  usePools,
} from './lease-harness.js';

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
afterEach(() => proxy.close());

/** Takes every lease there can be. */
async function takeAll(pool: RedisPool): Promise<RedisLease[]> {
  const { used, max } = pool.stats().connections;
  return Promise.all(Array.from({ length: max - used }, () => pool.acquire()));
}

async function releaseAll(leases: readonly RedisLease[]): Promise<void> {
  await Promise.all(leases.map((lease) => lease.release()));
}

describe('acquire() and lease()', () => {
  test('give a connection of one’s own, named after the pool, and take it back', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    expect((await leaseClients(server, pool)).map((client) => client.id)).toEqual([id]);
    expect(pool.stats().leases).toMatchObject({ leased: 1, idle: 0 });
    await lease.release();
    expect(lease.released).toBe(true);
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 1 });
    expect(await pool.lease((again) => again.client('ID'))).toBe(id);
  });

  test('await using gives the lease back at the end of the block, also of one that throws', async () => {
    const pool = openPool({ url: server.url });
    const failing = async (): Promise<void> => {
      await using lease = await pool.acquire();
      await lease.set('key', 'value');
      throw new Error('in the block');
    };
    await expect(failing()).rejects.toThrow('in the block');
    expectAtRest(pool);
    expect(await pool.get('key')).toBe('value');
  });

  test('lease() passes on what its function returns or throws, and gives the lease back first', async () => {
    const pool = openPool({ url: server.url });
    expect(await pool.lease(() => 42)).toBe(42);
    expectAtRest(pool);
    const failing = pool.lease(async (lease) => {
      await lease.ping();
      throw new Error('in the function');
    });
    await expect(failing).rejects.toThrow('in the function');
    expectAtRest(pool);
  });

  test('release() twice gives back once', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const releases = [lease.release(), lease.release()];
    await Promise.all(releases);
    await lease.release();
    lease.destroy();
    expectAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('destroy() closes the connection instead of giving it back', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const running = errorOf(lease.blpop('list', 0));
    lease.destroy();
    expect(await running).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED', maybeExecuted: true });
    await waitUntil(async () => (await leaseClients(server, pool)).length === 0, { what: 'it is closed' });
    await untilAtRest(pool);
    expectAtRest(pool);
    expect(pool.stats().leases.idle).toBe(0);
  });

  test.each<[name: string, use: (lease: RedisLease) => unknown]>([
    ['a command', (lease) => lease.get('key')],
    ['call()', (lease) => lease.call('GET', 'key')],
    ['a Buffer command', (lease) => lease.getBuffer('key')],
    ['a blocking command', (lease) => lease.blpop('list', 0)],
    ['a pipeline', (lease) => lease.pipeline().get('key').blpop('list', 0).exec()],
    ['multi()', (lease) => lease.multi().get('key').exec()],
    ['MULTI sent alone', (lease) => lease.multi({ pipeline: false })],
    ['exec()', (lease) => lease.exec()],
  ])('after release() %s rejects and sends nothing', async (_, use) => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    await lease.release();
    const next = await pool.acquire();
    expect(await errorOf(use(lease) as Promise<unknown>)).toMatchObject({
      code: 'RP_ERR_LEASE_RELEASED',
      maybeExecuted: false,
      retryable: false,
    });
    const client = (await leaseClients(server, pool))[0];
    expect(client?.flags).toBe('N');
    expect(await next.get('key')).toBe(null);
    await next.release();
  });

  test('a chain that was begun before release() and is sent after it rejects', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const chain = lease.pipeline().set('key', 'late');
    await lease.release();
    expect(await errorOf(chain.exec())).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED' });
    expect(await pool.get('key')).toBe(null);
  });

  test('a callback is told of a use after release() too', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    await lease.release();
    const told = new Promise((resolve) => {
      lease.get('key', (error) => resolve(error)).catch(() => {});
    });
    expect(await told).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED' });
  });

  test('what takes the socket over is refused on a lease too, with the name of what to use', async () => {
    const pool = openPool({ url: server.url });
    await using lease = await pool.acquire();
    for (const name of ['subscribe', 'PSUBSCRIBE', 'monitor', 'quit'])
      expect(() => lease.call(name, 'x')).toThrow(/cannot run on a lease: use pool\./);
    expect(await lease.ping()).toBe('PONG');
  });

  test('an option that is none is an error before anything is acquired', async () => {
    const pool = openPool({ url: server.url });
    for (const timeoutMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await errorOf(pool.acquire({ timeoutMs }))).toMatchObject({ code: 'RP_ERR_INVALID_OPTION' });
      expect(await errorOf(pool.lease(() => 1, { timeoutMs }))).toMatchObject({
        code: 'RP_ERR_INVALID_OPTION',
      });
    }
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0, creating: 0 });
  });

  test('two lanes leave the rest of the cap to leases', async () => {
    const pool = openPool({ url: server.url, lanes: 2, maxConnections: 4 });
    await pool.ready();
    const leases = await takeAll(pool);
    expect(leases).toHaveLength(2);
    expect(await errorOf(pool.acquire({ timeoutMs: 20 }))).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT' });
    await waitUntil(async () => (await server.clients()).length === 4, { what: 'both lanes are up' });
    const parked = pool.blpop('list', 5);
    await untilWaiting(pool, 1);
    await releaseAll(leases);
    await pool.rpush('list', 'element');
    expect(await parked).toEqual(['list', 'element']);
  });
});

describe('waiting for a lease', () => {
  test('ends at acquireTimeoutMs with every counter in the message', async () => {
    const pool = openPool({ url: server.url, maxConnections: 3, acquireTimeoutMs: 100 });
    const leases = await takeAll(pool);
    const waiting = outcomeOf(pool.acquire());
    const other = outcomeOf(pool.acquire({ timeoutMs: 5_000 }));
    const control = controlTimer(100);
    const { error, settledAt } = await waiting;
    expect(error).toMatchObject({
      code: 'RP_ERR_ACQUIRE_TIMEOUT',
      retryable: true,
      statusCode: 503,
      maybeExecuted: false,
    });
    expect((error as Error).message).toMatch(
      /within 100 ms .*2 leased, 0 idle, 0 connecting, 2 waiting; 3 of maxConnections 3 in use/,
    );
    expect((error as Error).cause).toBeUndefined();
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    await releaseAll(leases);
    await ((await other).value as RedisLease).release();
  });

  test('ends at a timeoutMs of its own', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2, acquireTimeoutMs: 60_000 });
    const [lease] = (await takeAll(pool)) as [RedisLease];
    expect((await errorOf(pool.lease(() => 1, { timeoutMs: 30 }))).message).toContain('within 30 ms');
    await lease.release();
  });

  test('a lease in the way of the caller itself is named in the message', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const scope = pool.scope();
    const held = await scope.acquire();
    const error = await errorOf(scope.acquire({ timeoutMs: 30 }));
    expect(error.message).toMatch(/This caller holds a lease itself, since:\n.*acquire\.test\.ts/);
    await held.release();
    expect((await errorOf(pool.scope().acquire({ signal: AbortSignal.abort(new Error('x')) }))).message).toBe(
      'x',
    );
  });

  test('ends with the reason of its signal, and leaves its place to the next one', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const [lease] = (await takeAll(pool)) as [RedisLease];
    const controller = new AbortController();
    const first = errorOf(pool.acquire({ signal: controller.signal }));
    const second = pool.acquire();
    await untilWaiting(pool, 2);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    expect(await first).toBe(reason);
    await lease.release();
    await (await second).release();
    expectAtRest(pool);
  });

  test('a signal that is aborted already acquires nothing', async () => {
    const pool = openPool({ url: server.url });
    const reason = new Error('before');
    expect(await errorOf(pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0, creating: 0 });
  });

  test('a signal that outlives the acquire keeps no listener', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const { signal } = new AbortController();
    const [lease] = (await takeAll(pool)) as [RedisLease];
    const waiting = pool.acquire({ signal });
    await untilWaiting(pool, 1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await lease.release();
    await (await waiting).release();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('is first come, first served', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const [lease] = (await takeAll(pool)) as [RedisLease];
    const order: number[] = [];
    const callers = Array.from({ length: 20 }, (_, index) =>
      pool.lease(() => {
        order.push(index);
      }),
    );
    await untilWaiting(pool, 20);
    await lease.release();
    await Promise.all(callers);
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('is refused at once when maxWaiting callers wait already', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2, maxWaiting: 3 });
    const [lease] = (await takeAll(pool)) as [RedisLease];
    const waiting = Array.from({ length: 3 }, () => pool.lease(() => 'served'));
    await untilWaiting(pool, 3);
    for (const call of [() => pool.acquire(), () => pool.lease(() => 1), () => pool.blpop('list', 0)]) {
      const error = await errorOf(call() as Promise<unknown>);
      expect(error).toMatchObject({ code: 'RP_ERR_QUEUE_FULL', retryable: true, maybeExecuted: false });
      expect(error.message).toMatch(/maxWaiting 3 is reached .*1 leased.*3 waiting/);
    }
    await lease.release();
    expect(await Promise.all(waiting)).toEqual(['served', 'served', 'served']);
  });

  test('with maxWaiting 0 connections are opened for callers all the same', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2, maxWaiting: 0 });
    await pool.ready();
    const lease = await pool.acquire();
    expect(await errorOf(pool.acquire())).toMatchObject({ code: 'RP_ERR_QUEUE_FULL' });
    await lease.release();
    expect(await pool.lease(() => 'again')).toBe('again');
  });

  test('ends with RP_ERR_CLOSING when the pool closes, and RP_ERR_CLOSED when it is destroyed', async () => {
    for (const [end, code] of [
      ['close', 'RP_ERR_CLOSING'],
      ['destroy', 'RP_ERR_CLOSED'],
    ] as const) {
      const pool = openPool({ url: server.url, maxConnections: 2 });
      const [lease] = (await takeAll(pool)) as [RedisLease];
      const waiting = errorOf(pool.acquire());
      const waitingCommand = errorOf(pool.blpop('list', 0));
      await untilWaiting(pool, 2);
      void pool[end]();
      expect(await waiting).toMatchObject({ code, maybeExecuted: false });
      expect(await waitingCommand).toMatchObject({ code, maybeExecuted: false });
      await lease.release();
      expect(await errorOf(pool.acquire())).toMatchObject({ code });
    }
  });

  test('in a scope ends with its signal and with its deadline, and nothing was executed', async () => {
    const pool = openPool({ url: server.url, maxConnections: 2 });
    const [lease] = (await takeAll(pool)) as [RedisLease];
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const timed = pool.scope({ timeoutMs: 40, label: 'GET /slow' });
    const calls = [
      scope.acquire(),
      scope.lease(() => 1),
      scope.blpop('list', 0),
      scope.transaction(['a'], () => 1),
    ];
    const ended = calls.map((call) => errorOf(call as Promise<unknown>));
    const late = [timed.acquire(), timed.blpop('list', 0)].map((call) => errorOf(call as Promise<unknown>));
    for (const error of await Promise.all(late)) {
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false });
      expect(error.message).toContain('GET /slow');
    }
    const reason = new Error('the client hung up');
    controller.abort(reason);
    for (const error of await Promise.all(ended)) expect(error).toBe(reason);
    expect(pool.stats().leases.waiting).toBe(0);
    await lease.release();
    await untilAtRest(pool);
  });
});

describe('an outage', () => {
  test('fails a waiting acquire with the last failure to connect as cause', async () => {
    await proxy.refuse();
    const pool = openPool({
      url: proxy.url,
      acquireTimeoutMs: 150,
      reconnect: { minDelayMs: 5, maxDelayMs: 10 },
    });
    const error = await errorOf(pool.acquire());
    expect(error).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', maybeExecuted: false });
    expect(error.message).toContain('0 leased, 0 idle, 0 connecting, 1 waiting');
    expect(error.cause).toMatchObject({ code: 'RP_ERR_CONNECT' });
  });

  test('makes leases wait for the lane: only one attempt to connect is in flight', async () => {
    await proxy.acceptAndSilence();
    const pool = openPool({ url: proxy.url, acquireTimeoutMs: 10_000, connectTimeoutMs: 5_000 });
    const waiting = Array.from({ length: 10 }, () => pool.lease((lease) => lease.ping()));
    await waitUntil(() => proxy.acceptedCount > 0, { what: 'the lane is dialled' });
    expect(pool.stats().leases).toMatchObject({ creating: 0, waiting: 10 });
    expect(proxy.acceptedCount).toBe(1);
    await proxy.heal();
    expect(await Promise.all(waiting)).toEqual(Array(10).fill('PONG'));
  });

  test('ends for those who wait when the lane comes back, idle leases of before are gone', async () => {
    const pool = openPool({
      url: proxy.url,
      acquireTimeoutMs: 10_000,
      reconnect: { minDelayMs: 5, maxDelayMs: 20 },
    });
    const before = await pool.lease((lease) => lease.client('ID'));
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded' && pool.stats().leases.idle === 0, {
      what: 'it is noticed',
    });
    const waiting = pool.lease((lease) => lease.client('ID'));
    await untilWaiting(pool, 1);
    await proxy.accept();
    expect(await waiting).toBeGreaterThan(before);
    expectAtRest(pool);
  });

  test('of leases alone, at the limit of clients, is told in the error and ends with the limit', async () => {
    const pool = openPool({ url: server.url, acquireTimeoutMs: 200 });
    await pool.ready();
    const clients = (await server.clients()).length + 1;
    await server.adminCommand('CONFIG', 'SET', 'maxclients', `${clients}`);
    try {
      const error = await errorOf(pool.acquire());
      expect(error).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', cause: { code: 'RP_ERR_CONNECT' } });
    } finally {
      await server.adminCommand('CONFIG', 'SET', 'maxclients', '10000');
    }
    expect(await pool.lease(() => 'again', { timeoutMs: 5_000 })).toBe('again');
  });
});

describe('connections of leases', () => {
  test('one that the server closed while it was idle is not handed out', async () => {
    const pool = openPool({ url: server.url });
    const id = await pool.lease((lease) => lease.client('ID'));
    await server.adminCommand('CLIENT', 'KILL', 'ID', `${id}`);
    await waitUntil(() => pool.stats().leases.idle === 0, { what: 'the loss is noticed' });
    expect(pool.stats().connections.used).toBe(1);
    expect(await pool.lease((lease) => lease.client('ID'))).toBeGreaterThan(id);
  });

  test('one that is killed in the hands of its holder fails what runs on it, once, and is replaced', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    const running = errorOf(lease.blpop('list', 0));
    await waitUntil(() => pool.stats().leases.blocking === 1, { what: 'it waits' });
    await server.adminCommand('CLIENT', 'KILL', 'ID', `${id}`);
    const error = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true, retryable: false });
    expect(error.message).toContain('BLPOP');
    expect(await errorOf(lease.get('key'))).toMatchObject({
      code: 'RP_ERR_CONNECTION_LOST',
      maybeExecuted: false,
    });
    await lease.release();
    expectAtRest(pool);
    expect(await pool.lease((next) => next.client('ID'))).toBeGreaterThan(id);
  });

  test('are closed when idle for leaseIdleMs, but for minIdleLeases', async () => {
    const pool = openPool({ url: server.url, leaseIdleMs: 100, minIdleLeases: 1 });
    await releaseAll(await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]));
    await untilAtRest(pool);
    await waitUntil(() => pool.stats().leases.idle === 1, { what: 'the others are closed' });
    await waitUntil(async () => (await leaseClients(server, pool)).length === 1, {
      what: 'the server agrees',
    });
    expect(pool.stats().connections.used).toBe(2);
  });

  test('minIdleLeases are there from the start, before anybody asks', async () => {
    const pool = openPool({ url: server.url, minIdleLeases: 3 });
    await pool.ready();
    await waitUntil(async () => (await leaseClients(server, pool)).length === 3, {
      what: 'they are connected',
    });
    expect(await pool.lease((lease) => lease.ping())).toBe('PONG');
  });

  test('live no longer than leaseMaxLifetimeMs', async () => {
    const pool = openPool({ url: server.url, leaseMaxLifetimeMs: 60 });
    const ids = new Set<number>();
    await waitUntil(
      async () => {
        ids.add(await pool.lease((lease) => lease.client('ID')));
        return ids.size === 3;
      },
      { what: 'the third connection is in use' },
    );
    await waitUntil(async () => (await leaseClients(server, pool)).length === 1, {
      what: 'the old ones are closed',
    });
  });

  test('of before the lane came back are not handed out again', async () => {
    const pool = openPool({ url: server.url, reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
    const held = await pool.acquire();
    const heldId = await held.client('ID');
    const idleId = await pool.lease((lease) => lease.client('ID'));
    const [lane] = (await server.clients()).filter(({ name }) => name.includes(':lane:'));
    await server.adminCommand('CLIENT', 'KILL', 'ID', `${lane?.id}`);
    await waitUntil(() => pool.stats().lanes[0]?.connections === 2, { what: 'the lane is back' });
    expect(await held.ping()).toBe('PONG');
    await held.release();
    expect(pool.stats().leases.idle).toBe(0);
    expect(await pool.lease((lease) => lease.client('ID'))).toBeGreaterThan(Math.max(heldId, idleId));
  });

  test('are opened four at a time, whatever the number of callers', async () => {
    proxy.delay({ ms: 5 });
    const pool = openPool({ url: proxy.url, maxConnections: 30 });
    await pool.ready();
    const all = Promise.all(Array.from({ length: 29 }, () => pool.acquire()));
    let most = 0;
    await waitUntil(
      () => {
        const { creating, leased } = pool.stats().leases;
        most = Math.max(most, creating);
        return leased === 29;
      },
      { what: 'all are leased' },
    );
    expect(most).toBe(4);
    await releaseAll(await all);
  });
});

describe('commands on a lease', () => {
  test('end at commandTimeoutMs, and the connection that owes the reply is closed', async () => {
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 80 });
    await pool.ready();
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    proxy.swallowReplies();
    const running = outcomeOf(lease.incr('counter'));
    const control = controlTimer(80);
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect((error as Error).message).toContain('INCR');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    await lease.release();
    expect(pool.stats().leases.idle).toBe(0);
    await proxy.heal();
    expect(await pool.lease((next) => next.client('ID'), { timeoutMs: 5_000 })).toBeGreaterThan(id);
  });

  test('run in the order of the calls, awaited or not, blocking or not', async () => {
    const pool = openPool({ url: server.url });
    await pool.lease(async (lease) => {
      const replies = await Promise.all([
        lease.rpush('list', 'a'),
        lease.blpop('list', 1),
        lease.blpop('list', 0.05),
        lease.rpush('list', 'b'),
        lease.pipeline().blpop('list', 1).rpush('list', 'c').exec(),
        lease.lrange('list', 0, -1),
      ]);
      expect(replies).toEqual([
        1,
        ['list', 'a'],
        null,
        1,
        [
          [null, ['list', 'b']],
          [null, 1],
        ],
        ['c'],
      ]);
    });
  });

  test('scripts run on leases, go once more after SCRIPT FLUSH, and keep their limit then', async () => {
    const pool = openPool({
      url: proxy.url,
      commandTimeoutMs: 150,
      scripts: { both: { lua: 'return {KEYS[1], ARGV[1]}', numberOfKeys: 1 } },
    });
    await using lease = await pool.acquire();
    const { both } = lease as unknown as { both(...args: string[]): Promise<unknown> };
    expect(await both('key', 'one')).toEqual(['key', 'one']);
    await server.adminCommand('SCRIPT', 'FLUSH');
    expect(await both('key', 'two')).toEqual(['key', 'two']);
    expect(await lease.pipeline([['both', 'key', 'three']]).exec()).toEqual([[null, ['key', 'three']]]);
    await server.adminCommand('SCRIPT', 'FLUSH');
    // Regression: the second try had no limit at all.
    proxy.delay({ ms: 100, direction: 'toClient' });
    const running = outcomeOf(both('key', 'four'));
    const control = controlTimer(150);
    const { error, settledAt } = await running;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT' });
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
  });

  test('an error reply of the server passes through, without the arguments', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('text', 'x');
    await pool.lease(async (lease) => {
      const error = await errorOf(lease.lpush('text', 'secret'));
      expect(error.message).toContain('WRONGTYPE');
      expect(error.command).toEqual({ name: 'lpush' });
      expect(JSON.stringify(error)).not.toContain('secret');
    });
    expect(pool.stats().leases.idle).toBe(1);
  });
});
