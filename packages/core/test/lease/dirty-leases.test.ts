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
  untilAtRest,
  untilParked,
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
  await server.adminCommand('SET', 'key', 'value');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

/** What a connection is like, as its next holder and the server see it. */
async function lookAt(lease: RedisLease): Promise<Record<string, unknown>> {
  const [list, trackingInfo] = await Promise.all([
    server.clients(),
    lease.call('CLIENT', 'TRACKINGINFO') as Promise<Record<string, unknown> | unknown[]>,
  ]);
  const id = await lease.client('ID');
  const client = list.find((each) => each.id === id);
  const watched = client?.fields.watch ?? '0';
  // A transaction of its own goes through, whatever others do to keys that were watched before.
  await server.adminCommand('SET', 'watched', `${Math.random()}`);
  const replies = await lease.multi().set('own', '1').exec();
  return {
    db: client?.db,
    name: client?.name,
    flags: client?.flags,
    resp: client?.fields.resp,
    watched,
    tracking: JSON.stringify(trackingInfo).includes('"off"') ? 'off' : 'on',
    value: await lease.get('key'),
    transaction: replies,
  };
}

type Kind = 'clean' | 'cleaned' | 'replaced';

const KINDS: readonly [dirt: string, leave: (lease: RedisLease) => unknown, kind: Kind][] = [
  ['nothing', (lease) => lease.get('key'), 'clean'],
  ['a blocking command that ended', (lease) => lease.blpop('list', 0.01), 'clean'],
  ['a whole transaction', (lease) => lease.multi().get('key').exec(), 'clean'],
  ['WATCH and UNWATCH', (lease) => lease.watch('watched').then(() => lease.unwatch()), 'clean'],
  [
    'WATCH and a transaction that came to nothing',
    async (lease) => {
      await lease.watch('watched');
      await server.adminCommand('SET', 'watched', 'changed');
      expect(await lease.multi().set('key', 'lost').exec()).toBe(null);
    },
    'clean',
  ],
  [
    'MULTI and DISCARD, each alone',
    (lease) => lease.multi({ pipeline: false }).then(() => lease.discard()),
    'clean',
  ],
  [
    'a transaction that the server refused',
    async (lease) => {
      await lease.multi({ pipeline: false });
      await errorOf(lease.call('GET'));
      expect((await errorOf(lease.exec())).message).toContain('EXECABORT');
    },
    'clean',
  ],
  ['WATCH', (lease) => lease.watch('watched'), 'cleaned'],
  ['WATCH through call()', (lease) => lease.call('WATCH', 'watched'), 'cleaned'],
  [
    'WATCH in a pipeline',
    (lease) =>
      (lease.pipeline() as unknown as { watch(key: string): { exec(): unknown } }).watch('watched').exec(),
    'cleaned',
  ],
  ['MULTI', (lease) => lease.multi({ pipeline: false }), 'cleaned'],
  [
    'MULTI with commands in it, over watched keys',
    async (lease) => {
      await lease.watch('watched');
      await lease.multi({ pipeline: false });
      expect(await lease.set('key', 'never')).toBe('QUEUED');
    },
    'cleaned',
  ],
  ['SELECT', (lease) => lease.select(3), 'cleaned'],
  ['SELECT through call()', (lease) => lease.call('select', '3'), 'cleaned'],
  ['SELECT inside a transaction', (lease) => lease.multi([['call', 'SELECT', '3']]).exec(), 'cleaned'],
  ['CLIENT SETNAME', (lease) => lease.client('SETNAME', 'mine'), 'cleaned'],
  ['CLIENT TRACKING', (lease) => lease.call('CLIENT', 'TRACKING', 'ON'), 'cleaned'],
  [
    'CLIENT TRACKING with BCAST',
    (lease) => lease.call('client', 'tracking', 'on', 'BCAST', 'PREFIX', 'k'),
    'cleaned',
  ],
  [
    'CLIENT CACHING',
    async (lease) => {
      await lease.call('CLIENT', 'TRACKING', 'ON', 'OPTIN');
      await lease.call('CLIENT', 'CACHING', 'YES');
    },
    'cleaned',
  ],
  ['CLIENT NO-EVICT', (lease) => lease.call('CLIENT', 'NO-EVICT', 'on'), 'cleaned'],
  [
    'all of it together',
    async (lease) => {
      await lease.select(5);
      await lease.client('SETNAME', 'mine');
      await lease.call('CLIENT', 'TRACKING', 'ON');
      await lease.call('CLIENT', 'NO-EVICT', 'ON');
      await lease.watch('watched');
      await lease.multi({ pipeline: false });
    },
    'cleaned',
  ],
  ['AUTH', (lease) => lease.auth('', '').catch(() => {}), 'replaced'],
  ['HELLO', (lease) => lease.call('HELLO', '2'), 'replaced'],
  ['RESET', (lease) => lease.call('RESET'), 'replaced'],
  ['CLIENT REPLY OFF', (lease) => void lease.call('CLIENT', 'REPLY', 'OFF').catch(() => {}), 'replaced'],
  ['CLIENT SETINFO', (lease) => lease.call('CLIENT', 'SETINFO', 'LIB-NAME', 'x').catch(() => {}), 'replaced'],
  [
    'CLIENT NO-TOUCH, which this server does not know',
    (lease) => lease.call('CLIENT', 'NO-TOUCH', 'ON').catch(() => {}),
    'replaced',
  ],
  ['READONLY, which is for clusters', (lease) => lease.readonly().catch(() => {}), 'replaced'],
  ['SCRIPT DEBUG', (lease) => lease.call('SCRIPT', 'DEBUG', 'NO').catch(() => {}), 'replaced'],
  ['a command of which nothing is known', (lease) => lease.call('SOME.COMMAND').catch(() => {}), 'replaced'],
  [
    'EXEC without MULTI over watched keys',
    (lease) => lease.watch('watched').then(() => lease.exec().catch(() => {})),
    'replaced',
  ],
];

describe('what a holder leaves behind', () => {
  test.each(KINDS)('%s is not seen by the next one', async (_, leave, kind) => {
    const pool = openPool({ url: proxy.url, maxConnections: 2 });
    const first = await pool.acquire();
    const id = await first.client('ID');
    await leave(first);
    if (kind === 'clean') {
      const sent = proxy.bytesToServer;
      const reads = await readsOf(server);
      await first.release();
      expect(proxy.bytesToServer).toBe(sent);
      expect(await readsOf(server)).toBe(reads + 1);
    } else await first.release();
    await untilAtRest(pool);
    expectAtRest(pool);
    expect(pool.stats().leases.idle).toBe(kind === 'replaced' ? 0 : 1);
    const next = await pool.acquire();
    const seen = await lookAt(next);
    expect(seen).toEqual({
      db: 0,
      name: `${pool.name}:lease:${process.pid}`,
      flags: 'N',
      resp: '3',
      watched: '0',
      tracking: 'off',
      value: 'value',
      transaction: [[null, 'OK']],
    });
    const nextId = await next.client('ID');
    if (kind === 'replaced') expect(nextId).toBeGreaterThan(id);
    else expect(nextId).toBe(id);
    await next.release();
  });

  test('commands that are not answered yet are waited for: nothing is lost, and the connection stays', async () => {
    const pool = openPool({ url: proxy.url });
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    proxy.delay({ ms: 30 });
    const replies = [lease.set('key', 'written'), lease.get('key'), lease.select(3)];
    await lease.release();
    expect(await Promise.all(replies)).toEqual(['OK', 'written', 'OK']);
    await proxy.heal();
    const next = await pool.lease(async (other) => [await other.client('ID'), await other.get('key')]);
    expect(next).toEqual([id, 'written']);
  });

  test('what returns without await is answered: the end of the block does not cut it', async () => {
    const pool = openPool({ url: server.url });
    const read = async () => {
      await using lease = await pool.acquire();
      return lease.get('key');
    };
    expect(await read()).toBe('value');
    void pool.lease((lease) => void lease.set('key', 'fire and forget'));
    await waitUntil(async () => (await pool.get('key')) === 'fire and forget', { what: 'it is written' });
    await untilAtRest(pool);
    expect(pool.stats()).toMatchObject({ errors: {}, leases: { idle: 1 } });
  });

  test('a blocking command that still waits is ended at the server: no element is lost', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    const waiting = errorOf(lease.blpop('list', 0));
    const chained = lease.pipeline().blpop('list', 0).get('key').exec();
    await untilParked(server, 1);
    await lease.release();
    expect(await waiting).toMatchObject({ code: 'RP_ERR_LEASE_RELEASED', maybeExecuted: false });
    expect(await chained).toEqual([
      [null, null],
      [null, 'value'],
    ]);
    await pool.rpush('list', 'x');
    expect(await pool.lease(async (next) => [await next.client('ID'), await next.lpop('list')])).toEqual([
      id,
      'x',
    ]);
  });

  test('a command that the server does not answer costs commandTimeoutMs, and the connection', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 120 });
    const lease = await pool.acquire();
    server.freeze();
    const running = errorOf(lease.get('key'));
    const released = lease.release().then(() => performance.now());
    const control = controlTimer(120);
    expect((await released) - (await control)).toBeLessThan(GRACE_MS);
    expect(await running).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0 });
    server.thaw();
  });

  test('is undone in one write, however much it is', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    await Promise.all([
      lease.select(5),
      lease.client('SETNAME', 'mine'),
      lease.watch('a'),
      lease.call('CLIENT', 'NO-EVICT', 'ON'),
    ]);
    const reads = await readsOf(server);
    await lease.release();
    // One of them is that of the question.
    expect(await readsOf(server)).toBe(reads + 2);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('is undone for the database and the name of the pool', async () => {
    const pool = openPool({ url: `${server.url}/2`, name: 'named' });
    await pool.set('key', 'of two');
    await pool.lease(async (lease) => {
      await lease.select(0);
      await lease.client('SETNAME', 'mine');
      expect(await lease.get('key')).toBe('value');
    });
    await pool.lease(async (lease) => {
      expect(await lease.get('key')).toBe('of two');
      expect(await lease.client('GETNAME')).toBe(`named:lease:${process.pid}`);
    });
    expect(await leaseClients(server, pool)).toHaveLength(1);
  });

  test('a lease waits for its cleaning before it goes to the next one', async () => {
    const pool = openPool({ url: proxy.url, maxConnections: 2 });
    const first = await pool.acquire();
    await first.select(7);
    proxy.delay({ ms: 20 });
    const order: string[] = [];
    const released = first.release().then(() => order.push('released'));
    const next = pool.lease(async (lease) => {
      order.push('next');
      return lease.get('key');
    });
    expect(await next).toBe('value');
    await released;
    expect(order[0]).toBe('released');
  });

  test('a server that does not answer the cleaning costs commandTimeoutMs, and the connection', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 120 });
    const lease = await pool.acquire();
    await lease.select(7);
    server.freeze();
    const released = lease.release().then(() => performance.now());
    const control = controlTimer(120);
    expect((await released) - (await control)).toBeLessThan(GRACE_MS);
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0 });
    server.thaw();
  });

  test('a connection that is lost while it is cleaned is not used again', async () => {
    const pool = openPool({ url: proxy.url });
    const lease = await pool.acquire();
    await lease.select(7);
    proxy.swallowReplies();
    const released = lease.release();
    proxy.reset();
    await released;
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0 });
    await proxy.heal();
  });

  test('a pool that closes while a lease is cleaned does not wait longer than it may', async () => {
    const pool = openPool({ url: server.url });
    const lease = await pool.acquire();
    await lease.select(7);
    server.freeze();
    const released = lease.release();
    const report = await pool.close({ timeoutMs: 100 });
    expect(report.durationMs).toBeLessThan(100 + GRACE_MS);
    await released;
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 0 });
    server.thaw();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'all is closed' });
  });

  test('a command inside of MULTI on a lease that blocks answers at once', async () => {
    const pool = openPool({ url: server.url });
    await pool.lease(async (lease) => {
      expect(await lease.multi().blpop('list', 0).get('key').exec()).toEqual([
        [null, null],
        [null, 'value'],
      ]);
    });
    expect(pool.stats().leases.idle).toBe(1);
  });
});

describe('multi() with a blocking command in it', () => {
  test('runs on the lane, where the server answers at once', async () => {
    const pool: RedisPool = openPool({ url: server.url });
    await pool.rpush('full', 'x');
    expect(
      await pool.multi().blpop('full', 0).blpop('empty', 0).xread('BLOCK', 0, 'STREAMS', 's', '$').exec(),
    ).toEqual([
      [null, ['full', 'x']],
      [null, null],
      [null, null],
    ]);
    const chain = pool.pipeline().multi().blpop('empty', 0);
    // The first exec() closes the transaction, the second one sends the chain.
    void chain.exec();
    expect(await chain.exec()).toEqual([
      [null, 'OK'],
      [null, 'QUEUED'],
      [null, [null]],
    ]);
    expect(await leaseClients(server, pool)).toEqual([]);
    await untilParked(server, 0);
  });
});

/** How often the server has read from a socket. */
async function readsOf(of: RedisServer): Promise<number> {
  const stats = String(await of.adminCommand('INFO', 'stats'));
  return Number(/^total_reads_processed:(\d+)/m.exec(stats)?.[1]);
}
