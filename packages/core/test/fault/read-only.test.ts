import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorOf, expectIdle, LINKS, outcomeOf, useLink, usePools } from './pool-harness.js';

const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 50 };
/** A port on which nobody listens: a replica of that keeps its data and refuses writes. */
const NOBODY = ['127.0.0.1', 1] as const;

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('CONFIG', 'RESETSTAT');
});
afterEach(() => promote());

const promote = (): Promise<unknown> => server.adminCommand('REPLICAOF', 'NO', 'ONE');

/** A pool that finds a master at each new connection, as it does where a name leads to the master. */
function openFailingOver(options: Parameters<typeof openPool>[0] = {}) {
  return openPool({
    url: server.url,
    reconnect: FAST_RECONNECT,
    hooks: { connect: async () => void (await promote()) },
    ...options,
  });
}

describe.each(LINKS)('a master that became a replica, over the %s link', (link) => {
  useLink(link);

  test('is left, and the refused writes run once, on the new connection', async () => {
    const pool = openFailingOver();
    await pool.set('key', 0);
    await pool.replicaof(...NOBODY);
    expect(await pool.incr('key')).toBe(1);
    expect(await pool.get('key')).toBe('1');
    expect(pool.stats()).toMatchObject({
      uselessServers: 1,
      replacedConnections: 1,
      lostConnections: 0,
      errorReplies: 0,
    });
    expectIdle(pool);
  });

  test.each([1, 3])('keeps the order of the calls, with %i lanes', async (lanes) => {
    const pool = openFailingOver({ lanes });
    await pool.ready();
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
    const scopes = Array.from({ length: 5 }, () => pool.scope());
    const calls: Promise<unknown>[] = [];
    const push = (from: number, to: number): void => {
      for (let index = from; index < to; index += 1) {
        scopes.forEach((scope, caller) => void calls.push(scope.rpush(`list:${caller}`, index)));
      }
    };
    push(0, 300);
    calls.push(pool.replicaof(...NOBODY));
    push(300, 600);
    // While the refusals come in.
    await calls[1_500];
    push(600, 900);
    await Promise.all(calls);
    for (let caller = 0; caller < scopes.length; caller += 1) {
      const list = await server.adminCommand('LRANGE', `list:${caller}`, 0, -1);
      expect(list).toEqual(Array.from({ length: 900 }, (_, index) => String(index)));
    }
    expect(pool.stats().errorReplies).toBe(0);
    expectIdle(pool);
  });

  test('says so to a script as well', async () => {
    const pool = openFailingOver();
    await pool.ready();
    await pool.replicaof(...NOBODY);
    expect(await pool.eval("return redis.call('incr', KEYS[1])", 1, 'key')).toBe(1);
  });

  test('what left together is told, and not sent again', async () => {
    const pool = openFailingOver();
    await pool.ready();
    await pool.replicaof(...NOBODY);
    const results = await pool.pipeline().get('key').incr('key').exec();
    expect(results?.[1]?.[0]).toMatchObject({ message: expect.stringMatching(/^READONLY/) });
    await waitUntil(() => pool.stats().replacedConnections === 1, { what: 'the connection is replaced' });
    expect(await pool.incr('key')).toBe(1);
  });

  test('a command that is refused again is told so, and the connection stays for a while', async () => {
    const pool = openPool({ url: server.url, reconnect: { minDelayMs: 5, maxDelayMs: 60_000 } });
    await pool.ready();
    await pool.replicaof(...NOBODY);
    const refused = await Promise.all(Array.from({ length: 20 }, () => errorOf(pool.incr('key'))));
    for (const error of refused) expect(error.message).toMatch(/^READONLY/);
    // Whoever writes to a replica by mistake does not cost everybody the connection each time.
    for (let count = 0; count < 20; count += 1) {
      expect((await errorOf(pool.incr('key'))).message).toMatch(/^READONLY/);
      expect(await pool.get('key')).toBeNull();
    }
    expect(pool.stats()).toMatchObject({ uselessServers: 1, replacedConnections: 1 });
  });
});

test('writes recover within two seconds of the promotion of a new master', async () => {
  const pool = openPool({ url: server.url });
  await pool.ready();
  await pool.replicaof(...NOBODY);
  const startedAt = performance.now();
  let promotedAt = 0;
  for (let written = false; !written; ) {
    const { error } = await outcomeOf(pool.incr('key'));
    written = error === undefined;
    if (promotedAt === 0 && performance.now() - startedAt > 1_500) {
      await promote();
      promotedAt = performance.now();
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(performance.now() - promotedAt).toBeLessThan(2_000);
});

describe('a blocking command on a master that became a replica', () => {
  const isParked = async (count: number): Promise<boolean> =>
    String(await server.adminCommand('INFO', 'clients')).includes(`blocked_clients:${count}\r`);
  const untilParked = (count: number): Promise<unknown> =>
    waitUntil(() => isParked(count), { what: `${count} clients wait at the server` });

  test('goes again, on a new connection', async () => {
    const pool = openFailingOver();
    await pool.lease((lease) => lease.ping());
    await server.adminCommand('REPLICAOF', ...NOBODY);
    const popped = pool.blpop('list', 0);
    await untilParked(1);
    await server.adminCommand('RPUSH', 'list', 'x', 'y');
    expect(await popped).toEqual(['list', 'x']);
    expect(await server.adminCommand('LRANGE', 'list', 0, -1)).toEqual(['y']);
    expect(pool.stats()).toMatchObject({ uselessServers: 1, lostConnections: 0 });
  });

  // The server lets go of them with an error of its own, and closes their connections.
  test('goes again when it was parked already, with what is left of its time', async () => {
    const pool = openFailingOver();
    const begunAt = performance.now();
    const parked = [pool.blpop('list', 0), pool.blpop('list', 0), pool.brpop('other', 1.5)];
    await untilParked(3);
    const before = (await server.clients()).map(({ id }) => id);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await server.adminCommand('REPLICAOF', ...NOBODY);
    await waitUntil(
      async () =>
        (await isParked(3)) && (await server.clients()).filter(({ id }) => !before.includes(id)).length >= 3,
      { what: 'three wait on new connections' },
    );
    expect(await parked[2]).toBeNull();
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(1_490);
    expect(performance.now() - begunAt).toBeLessThan(1_950);
    await server.adminCommand('RPUSH', 'list', '1', '2');
    expect(new Set(await Promise.all(parked.slice(0, 2)))).toEqual(
      new Set([
        ['list', '1'],
        ['list', '2'],
      ]),
    );
    expect(pool.stats()).toMatchObject({ uselessServers: 1 });
  });

  test('is told when it is refused again', async () => {
    const pool = openPool({ url: server.url, reconnect: FAST_RECONNECT });
    await pool.lease((lease) => lease.ping());
    await server.adminCommand('REPLICAOF', ...NOBODY);
    expect((await errorOf(pool.blpop('list', 0))).message).toMatch(/^READONLY/);
    const { connectAttempts } = pool.stats();
    // Two lanes and two leases; whoever writes to a replica on purpose costs one more each time, not two.
    expect(connectAttempts).toBe(4);
    expect((await errorOf(pool.blpop('list', 0))).message).toMatch(/^READONLY/);
    expect(pool.stats()).toMatchObject({ connectAttempts: 5, uselessServers: 1 });
  });

  test('that is aborted meanwhile, or whose pool is closed, does not go again', async () => {
    const pool = openPool({ url: server.url, reconnect: { minDelayMs: 60_000, maxDelayMs: 60_000 } });
    const controller = new AbortController();
    const aborted = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    const closed = errorOf(pool.blpop('list', 0));
    await untilParked(2);
    await server.adminCommand('REPLICAOF', ...NOBODY);
    await waitUntil(() => pool.stats().leases.waiting === 2, { what: 'both wait for a connection' });
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await pool.close();
    expect(await closed).toMatchObject({ code: 'RP_ERR_CLOSING', maybeExecuted: false });
  });

  test('waits for a new connection for acquireTimeoutMs', async () => {
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    const pool = openPool({ url: server.url, reconnect, acquireTimeoutMs: 100 });
    const parked = errorOf(pool.blpop('list', 0));
    await untilParked(1);
    await server.adminCommand('REPLICAOF', ...NOBODY);
    expect(await parked).toMatchObject({ code: 'RP_ERR_ACQUIRE_TIMEOUT', maybeExecuted: false });
  });

  test('in a pipeline or on a lease is told, since other parts may have run', async () => {
    const pool = openFailingOver();
    await pool.lease((lease) => lease.ping());
    await server.adminCommand('REPLICAOF', ...NOBODY);
    const replies = await pool.pipeline().get('key').blpop('list', 0).exec();
    expect(replies?.[1]?.[0]?.message).toMatch(/^READONLY/);
    await pool.incr('key');
    await pool.lease(async (lease) => {
      await server.adminCommand('REPLICAOF', ...NOBODY);
      expect((await errorOf(lease.blpop('list', 0))).message).toMatch(/^READONLY/);
    });
  });
});

test('a lease whose command was refused is not handed out again', async () => {
  const pool = openFailingOver();
  await pool.lease(async (lease) => {
    await lease.set('key', 'value');
    await server.adminCommand('REPLICAOF', ...NOBODY);
    expect((await errorOf(lease.incr('count'))).message).toMatch(/^READONLY/);
  });
  expect(await pool.lease((lease) => lease.incr('count'))).toBe(1);
});

test('a connection that has to say again who it is makes room for one that has', async () => {
  await server.adminCommand('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all');
  await server.adminCommand('ACL', 'SETUSER', 'default', 'resetpass', '>other');
  const admin = (...args: string[]): Promise<unknown> => own.call(args[0] as string, ...args.slice(1));
  const own = openPool({ url: `redis://app:secret@127.0.0.1:${server.port}` });
  await own.ready();
  try {
    const calls: ((name: string) => Promise<unknown>)[] = [];
    const pool = openPool({
      url: `redis://app:secret@127.0.0.1:${server.port}`,
      reconnect: FAST_RECONNECT,
      hooks: { connect: ({ call }) => void calls.push(call) },
    });
    await pool.set('key', 'value');
    await calls[0]?.('RESET');
    expect(await Promise.all([pool.get('key'), pool.incr('count')])).toEqual(['value', 1]);
    expect(pool.stats()).toMatchObject({ uselessServers: 1, replacedConnections: 1, errorReplies: 0 });
  } finally {
    await admin('ACL', 'SETUSER', 'default', 'resetpass', 'nopass');
    await server.adminCommand('ACL', 'DELUSER', 'app');
  }
});
