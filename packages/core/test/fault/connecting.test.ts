import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { inspect } from 'node:util';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  controlTimer,
  deferred,
  errorOf,
  expectIdle,
  LINKS,
  outcomeOf,
  useLink,
  usePools,
} from './pool-harness.js';

const PASSWORD = 'correct-horse';
const WRONG = 'wr0ng-b4ttery';
const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 20 };

let server: RedisServer;
let locked: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server, locked]);
const { openPool } = usePools();

beforeAll(async () => {
  [server, locked] = await Promise.all([startRedis(), startRedis({ password: PASSWORD })]);
});
afterAll(() => Promise.all([server.stop(), locked.stop()]));
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

/** Everything that can be read off an error, also what is hidden. */
const everythingOf = (error: unknown) =>
  inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);

/** A server of its own, for a test that changes it for good. */
async function withServer(
  args: readonly string[],
  use: (server: RedisServer) => Promise<void>,
): Promise<void> {
  const own = await startRedis({ args });
  try {
    await use(own);
  } finally {
    await own.stop();
  }
}

describe('connecting', () => {
  test('a refused connection is tried again until the limit of ready(), and works when somebody listens', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    const error = await errorOf(pool.ready({ timeoutMs: 200 }));
    expect(error).toMatchObject({
      code: 'RP_ERR_CONNECT',
      retryable: true,
      cause: { code: 'RP_ERR_CONNECT', cause: { code: 'ECONNREFUSED' } },
    });
    await waitUntil(() => pool.stats().connectAttempts > 3, { what: 'it goes on trying' });
    expect(pool.status).toBe('connecting');
    const ready = pool.ready();
    await proxy.accept();
    await ready;
    expect(pool.status).toBe('ready');
    expect(pool.stats()).toMatchObject({ connectFailures: 0 });
  });

  const refusals: [name: string, url: (port: number) => string][] = [
    ['a wrong password', (port) => `redis://:${WRONG}@127.0.0.1:${port}`],
    ['an unknown user', (port) => `redis://nobody:${WRONG}@127.0.0.1:${port}`],
    ['no password', (port) => `redis://127.0.0.1:${port}`],
  ];
  test.each(refusals)('%s is refused at once, and the secret is nowhere in the error', async (_, url) => {
    const toLocked = await startFaultProxy({ target: locked });
    const lines: unknown[] = [];
    const note = (...line: unknown[]) => void lines.push(line);
    const pool = openPool({
      url: url(toLocked.port),
      commandTimeoutMs: 300,
      logger: { debug: note, info: note, warn: note, error: note },
      reconnect: FAST_RECONNECT,
    });
    const call = outcomeOf(pool.set('key', 'value'));
    const startedAt = performance.now();
    const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(error).toMatchObject({ code: 'RP_ERR_AUTH', retryable: false });
    const failed = (await call).error;
    expect(failed).toMatchObject({
      code: 'RP_ERR_UNAVAILABLE',
      maybeExecuted: false,
      cause: { code: 'RP_ERR_AUTH' },
    });
    for (const shown of [error, failed, lines, pool, pool.stats()]) {
      expect(everythingOf(shown)).not.toContain(WRONG);
    }
    // Trying again in milliseconds could only lock the user out; the pause is random, up to 30 s.
    expect(toLocked.acceptedCount).toBeLessThanOrEqual(2);
    pool.destroy();
    await toLocked.close();
  });

  test('a password that becomes right is found out by a new pool, and credentials are asked at each attempt', async () => {
    let asked = 0;
    const pool = openPool({
      url: `redis://127.0.0.1:${locked.port}`,
      credentials: async () => {
        asked += 1;
        return { password: PASSWORD };
      },
      reconnect: FAST_RECONNECT,
    });
    await pool.ready();
    expect(asked).toBe(1);
    await locked.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'the connection is lost' });
    expect(await pool.ping()).toBe('PONG');
    expect(asked).toBe(2);
  });

  test('a database that does not exist is refused, and no command runs on database 0 instead', async () => {
    const pool = openPool({ url: `${server.url}/99`, commandTimeoutMs: 200, reconnect: FAST_RECONNECT });
    const call = outcomeOf(pool.set('key', 'value'));
    const error = await errorOf(pool.ready({ timeoutMs: 150 }));
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    expect(error.message).toMatch(/DB index is out of range|SELECT/);
    expect((await call).error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    expect(await server.adminCommand('DBSIZE')).toBe(0);
    const right = openPool({ url: `${server.url}/9` });
    await right.set('key', 'value');
    expect(await server.adminCommand('INFO', 'keyspace')).toContain('db9:keys=1');
  });

  test.each(['acceptAndSilence', 'freeze'] as const)(
    'a server that accepts and says nothing (%s) is given up in time',
    async (how) => {
      if (how === 'freeze') server.freeze();
      else await proxy.acceptAndSilence();
      const connectTimeoutMs = 250;
      const pool = openPool({ url: proxy.url, connectTimeoutMs, reconnect: FAST_RECONNECT });
      const control = controlTimer(connectTimeoutMs);
      const error = await errorOf(pool.ready());
      expect(performance.now() - (await control)).toBeLessThan(200);
      expect(error).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT', retryable: true });
      // The attempt itself is bounded too, not only the wait for it.
      await waitUntil(() => pool.stats().connectAttempts > 1, {
        what: 'there is a second attempt',
        timeoutMs: 1_000,
      });
      if (how === 'freeze') server.thaw();
      else await proxy.heal();
      await pool.ready();
      expect(await pool.ping()).toBe('PONG');
    },
  );

  test('at no moment is there more than one attempt in flight, however many lanes are down', async () => {
    const open = new Set<Socket>();
    let accepted = 0;
    let most = 0;
    const silent = createServer((socket) => {
      accepted += 1;
      open.add(socket);
      most = Math.max(most, open.size);
      socket.on('error', () => {}).once('close', () => open.delete(socket));
      socket.resume();
    });
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    const pool = openPool({
      url: `redis://127.0.0.1:${port}`,
      lanes: 3,
      connectTimeoutMs: 30,
      reconnect: { minDelayMs: 20, maxDelayMs: 20 },
    });
    for (let count = 0; count < 20; count += 1) {
      pool.ready({ timeoutMs: 5_000 }).catch(() => {});
      outcomeOf(pool.get('key'));
    }
    await waitUntil(() => accepted >= 8, { what: 'there were eight attempts' });
    expect(most).toBe(1);
    pool.destroy();
    silent.close();
    await once(silent, 'close');
  });

  test('an endpoint that accepts and resets, as a load balancer without backends, is dialled ever more rarely', async () => {
    await proxy.acceptAndReset();
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 1_000 });
    const calls = Array.from({ length: 100 }, () => outcomeOf(pool.incr('key')));
    const startedAt = performance.now();
    for (const { error } of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    }
    await new Promise((resolve) => setTimeout(resolve, 2_000 - (performance.now() - startedAt)));
    // Pauses are 50 ms at least and their bounds double from 100 ms: about 6 attempts in 2 s, and 9 in 10 s.
    expect(proxy.acceptedCount).toBeGreaterThan(2);
    expect(proxy.acceptedCount).toBeLessThanOrEqual(12);
    expect(pool.stats().connectAttempts).toBe(proxy.acceptedCount);
    await proxy.heal();
  });

  test('a server that loads its data is waited for, and no caller hears of LOADING', async () => {
    // 120 keys that take 8 ms each to load; the server looks at its clients after every kilobyte.
    await withServer(
      [
        '--key-load-delay',
        '8000',
        '--loading-process-events-interval-bytes',
        '1024',
        '--rdbcompression',
        'no',
      ],
      async (own) => {
        for (let index = 0; index < 120; index += 1)
          await own.adminCommand('SET', `key:${index}`, 'x'.repeat(2_000));
        await own.adminCommand('SAVE');
        await own.kill();
        const pool = openPool({ url: own.url, reconnect: FAST_RECONNECT });
        const restarted = own.restart();
        let loading = false;
        const call = pool.get('key:119');
        while (!loading) {
          const error = await errorOf(pool.ready({ timeoutMs: 40 }));
          loading = everythingOf(error).includes('LOADING');
        }
        expect((await call)?.length).toBe(2_000);
        await restarted;
        expect(pool.stats().errorReplies).toBe(0);
        pool.destroy();
      },
    );
  });

  test('a connect hook that rejects makes the attempt fail with its error; the next attempt calls it again', async () => {
    let called = 0;
    const pool = openPool({
      url: server.url,
      reconnect: FAST_RECONNECT,
      hooks: {
        connect: async ({ role, call }) => {
          called += 1;
          if (called < 3) throw new Error(`not yet on this ${role}`);
          expect(await call('CLIENT', 'NO-EVICT', 'on')).toBe('OK');
        },
      },
    });
    const error = await errorOf(pool.ready({ timeoutMs: 3 }));
    expect(['RP_ERR_CONNECT', 'RP_ERR_CONNECT_TIMEOUT']).toContain(error.code);
    await pool.ready();
    expect(called).toBe(3);
    expect(await pool.client('LIST')).toMatch(/name=test-\d+:lane:\d+.* flags=e/);
  });
});

describe.each(LINKS)('connecting over the %s link', (link) => {
  useLink(link);

  test('all lanes come up, one after the other', async () => {
    const pool = openPool({ url: server.url, lanes: 3 });
    await pool.ready();
    await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
    expect(pool.stats().connectAttempts).toBe(3);
  });

  test('a server without ECHO is as good as any', async () => {
    await withServer(['--rename-command', 'ECHO', ''], async (own) => {
      const pool = openPool({ url: own.url });
      expect(await pool.set('key', 'value')).toBe('OK');
      expect(pool.stats().lanes[0]?.link).toBe(link);
      pool.destroy();
    });
  });

  test('a user who may do nothing but GET and SET is enough', async () => {
    await server.adminCommand('ACL', 'SETUSER', 'least', 'on', `>${PASSWORD}`, '~*', '+get', '+set');
    const pool = openPool({ url: `redis://least:${PASSWORD}@127.0.0.1:${server.port}` });
    expect(await pool.set('key', 'value')).toBe('OK');
    expect(pool.stats().lanes[0]?.link).toBe(link);
    const error = await errorOf(pool.incr('key'));
    expect(error.message).toMatch(/^NOPERM/);
    await pool.close();
    await server.adminCommand('ACL', 'DELUSER', 'least');
  });

  test('a connect hook that hangs is cut at connectTimeoutMs, and what it does later harms nobody', async () => {
    const first = deferred();
    let called = 0;
    const pool = openPool({
      url: server.url,
      connectTimeoutMs: 80,
      reconnect: FAST_RECONNECT,
      hooks: {
        connect: async ({ call }) => {
          called += 1;
          if (called > 1) return;
          await first.promise;
          await call('SET', 'late', 'x').catch(() => {});
        },
      },
    });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
    await pool.ready();
    first.resolve();
    expect(await pool.ping()).toBe('PONG');
    expect(await pool.get('late')).toBeNull();
    expect(await server.clients()).toHaveLength(1);
  });

  test('a connection that is lost while its hook runs does not count as a connection', async () => {
    const first = deferred();
    const events: string[] = [];
    let called = 0;
    const pool = openPool({
      url: proxy.url,
      reconnect: { minDelayMs: 300, maxDelayMs: 300 },
      hooks: {
        connect: async () => {
          called += 1;
          if (called === 1) await first.promise;
        },
      },
    });
    for (const event of ['ready', 'degraded', 'restored'] as const) pool.on(event, () => events.push(event));
    const ready = pool.ready();
    await waitUntil(() => called === 1, { what: 'the hook runs' });
    proxy.reset();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the connection is gone' });
    await new Promise((resolve) => setTimeout(resolve, 30));
    first.resolve();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(pool.status).toBe('connecting');
    expect(events).toEqual([]);
    await ready;
    expect(events).toEqual(['ready']);
    expect(pool.stats().lanes[0]).toMatchObject({ up: true, connections: 1 });
  });

  test('a connection that is given up leaves nothing behind at the server', async () => {
    // Whatever the machine adds: no answer comes within the limit.
    proxy.delay({ ms: 300, direction: 'toClient' });
    const pool = openPool({
      url: proxy.url,
      connectTimeoutMs: 45,
      commandTimeoutMs: 400,
      reconnect: FAST_RECONNECT,
    });
    expect(await errorOf(pool.set('key', 'value'))).toMatchObject({ code: 'RP_ERR_UNAVAILABLE' });
    pool.destroy();
    await waitUntil(async () => (await server.clients()).length === 0, {
      what: 'the server has no connection left',
    });
    expect(await server.adminCommand('EXISTS', 'key')).toBe(0);
    expectIdle(pool);
  });
});
