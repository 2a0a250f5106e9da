import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Credentials } from '../../src/index.js';
import { errorOf, usePools } from './pool-harness.js';

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
  await proxy.close();
  for (const user of ['first', 'second']) await server.adminCommand('ACL', 'DELUSER', user);
});

async function setUser(name: string, password: string): Promise<void> {
  await server.adminCommand('ACL', 'SETUSER', name, 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all');
}

/** The users of the connections of a pool, by role. */
async function usersOf(pool: string): Promise<string[]> {
  const list = String(await server.adminCommand('CLIENT', 'LIST'));
  const mine = list.split('\n').filter((line) => line.includes(` name=${pool}:`));
  return mine.map((line) => `${/name=[^:]*:(\w+):/.exec(line)?.[1]} ${/ user=(\S+)/.exec(line)?.[1]}`).sort();
}

describe('credentials that change', () => {
  test.each([3, 2] as const)(
    'reach every open connection that may be told, with RESP%i',
    async (protocol) => {
      await setUser('first', 'one');
      await setUser('second', 'two');
      let answer: Credentials = { username: 'first', password: 'one', validForMs: 400 };
      const pool = openPool({
        url: proxy.url,
        redis: { protocol },
        lanes: 2,
        minIdleLeases: 1,
        credentials: () => answer,
      });
      await pool.ready();
      await pool.ready();
      const messages: string[] = [];
      let gaps = 0;
      const onGap = (): void => {
        gaps += 1;
      };
      await pool.subscribe('news', (message) => messages.push(message), { onGap });
      await waitUntil(() => pool.stats().leases.idle === 1, { what: 'an idle lease' });
      await waitUntil(() => pool.stats().lanes.every(({ up }) => up), { what: 'all lanes are up' });
      expect(await usersOf(pool.name)).toEqual([
        'lane first',
        'lane first',
        'lease first',
        'subscriber first',
      ]);
      answer = { ...answer, username: 'second', password: 'two' };
      const changed = ['lane second', 'lane second', 'lease second', 'subscriber second'];
      await waitUntil(async () => `${await usersOf(pool.name)}` === `${changed}`, { what: 'they are told' });
      // Who subscribes with RESP2 cannot be told, and gets another connection.
      const told = protocol === 3 ? 3 : 2;
      await waitUntil(() => pool.stats().reauthentications === told, { what: 'they have answered' });
      const isSubscribed = async () =>
        `${await server.adminCommand('PUBSUB', 'NUMSUB', 'news')}` === 'news,1';
      await waitUntil(isSubscribed, { what: 'there is one subscription' });
      await pool.publish('news', 'after');
      await waitUntil(() => messages.length === 1, { what: 'the message' });
      expect(gaps).toBe(protocol === 3 ? 0 : 1);
      expect(pool.stats().lostConnections).toBe(0);
      expect(pool.stats().subscriber.reconnects).toBe(gaps);
      await waitUntil(() => pool.stats().connections.used === 4, { what: 'each place is given back' });
    },
  );

  test.each([
    ['refuses', 'keeps', 20],
    ['has no place for', 'loses and opens again', 2],
  ])(
    'a server that %s the next user: a RESP2 subscriber %s its connection',
    async (why, _, maxConnections) => {
      await setUser('first', 'one');
      if (why !== 'refuses') await setUser('second', 'two');
      let answer: Credentials = { username: 'first', password: 'one', validForMs: 200 };
      const pool = openPool({
        url: proxy.url,
        redis: { protocol: 2 },
        credentials: () => answer,
        reconnect: FAST_RECONNECT,
        maxConnections,
      });
      const messages: string[] = [];
      await pool.ready();
      await pool.subscribe('news', (message) => messages.push(message));
      answer = { ...answer, username: 'second', password: 'two' };
      if (why === 'refuses') {
        const { connectAttempts } = pool.stats();
        await waitUntil(() => pool.stats().connectAttempts > connectAttempts, { what: 'an attempt' });
        await waitUntil(() => pool.stats().errors.RP_ERR_AUTH === 1, { what: 'it was refused' });
        expect(await usersOf(pool.name)).toEqual(['lane first', 'subscriber first']);
      } else {
        const isChanged = async () => `${await usersOf(pool.name)}` === 'lane second,subscriber second';
        await waitUntil(isChanged, { what: 'all are told' });
        await waitUntil(() => pool.stats().subscriber.connected, { what: 'the subscriber is back' });
      }
      const publish = async () => {
        await server.adminCommand('PUBLISH', 'news', 'later');
        return messages.length > 0;
      };
      await waitUntil(publish, { what: 'a message' });
      expect(pool.stats().connections.used).toBe(2);
    },
  );

  test.each(['close', 'destroy'] as const)(
    '%s() while a subscriber is being replaced leaves nothing',
    async (end) => {
      await setUser('first', 'one');
      await setUser('second', 'two');
      let answer: Credentials = { username: 'first', password: 'one', validForMs: 200 };
      let connects = 0;
      const pool = openPool({
        url: proxy.url,
        redis: { protocol: 2 },
        credentials: () => answer,
        hooks: { connect: () => (++connects > 2 ? new Promise(() => {}) : undefined) },
      });
      await pool.ready();
      await pool.subscribe('news', () => {});
      answer = { ...answer, username: 'second', password: 'two' };
      await waitUntil(() => connects === 3, { what: 'the next connection is on its way' });
      if (end === 'destroy') pool.destroy();
      const report = await pool.close({ timeoutMs: 5_000 });
      expect(report).toMatchObject({ drained: true, cutCommands: 0 });
      expect(report.durationMs).toBeLessThan(2_000);
      await waitUntil(async () => (await usersOf(pool.name)).length === 0, { what: 'no connection is left' });
    },
  );

  test('that are new at every question make no connection anew', async () => {
    await server.adminCommand('ACL', 'SETUSER', 'first', 'on', 'nopass', '~*', '&*', '+@all');
    let questions = 0;
    const credentials = (): Credentials => {
      questions += 1;
      return { username: 'first', password: `token ${questions}` };
    };
    const pool = openPool({ url: proxy.url, credentials });
    await pool.ready();
    for (let wave = 0; wave < 10; wave += 1) {
      const leases = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
      await Promise.all(leases.map((lease) => lease.incr('uses')));
      await Promise.all(leases.map((lease) => lease.release()));
    }
    expect(await pool.get('uses')).toBe('50');
    // The lane and five leases.
    expect(questions).toBe(6);
    expect(pool.stats().connectAttempts).toBe(6);
    await waitUntil(() => pool.stats().reauthentications > 5, { what: 'those that were open were told' });
    expect(pool.stats().leases.idle).toBe(5);
  });

  // Regression: the late answer counted as the newest, and every connection was told the old user again.
  test('stay the newest when a question that was asked before is answered after them', async () => {
    await setUser('first', 'one');
    await setUser('second', 'two');
    const old = { username: 'first', password: 'one' };
    let answer: Credentials | Promise<Credentials> = old;
    let questions = 0;
    const credentials = (): Credentials | Promise<Credentials> => {
      questions += 1;
      return answer;
    };
    const pool = openPool({ url: proxy.url, credentials });
    await pool.ready();
    let answerLate: (late: Credentials) => void = () => {};
    answer = new Promise((resolve) => {
      answerLate = resolve;
    });
    const acquired = [pool.acquire()];
    await waitUntil(() => questions === 2, { what: 'the first lease asks' });
    answer = { username: 'second', password: 'two' };
    acquired.push(pool.acquire());
    await waitUntil(() => pool.stats().reauthentications === 1, { what: 'the lane is told' });
    answerLate(old);
    const leases = await Promise.all(acquired);
    expect(await usersOf(pool.name)).toEqual(['lane second', 'lease second', 'lease second']);
    expect(pool.stats()).toMatchObject({ reauthentications: 1, reauthenticationsFailed: 0 });
    await Promise.all(leases.map((lease) => lease.release()));
  });

  test('are told to a lease when it comes back, not while it is held', async () => {
    await setUser('first', 'one');
    let answer: Credentials = { username: 'first', password: 'one', validForMs: 200 };
    const pool = openPool({ url: proxy.url, credentials: () => answer });
    await pool.ready();
    const lease = await pool.acquire();
    const id = await lease.client('ID');
    const said = async () => {
      const stats = String(await server.adminCommand('INFO', 'commandstats'));
      return Number(/cmdstat_auth:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    await server.adminCommand('ACL', 'SETUSER', 'first', '>two');
    answer = { ...answer, password: 'two' };
    await waitUntil(() => pool.stats().reauthentications === 1, { what: 'the lane is told' });
    const before = await said();
    await lease.set('key', 'value');
    expect(await said()).toBe(before);
    answer = { username: 'first', password: 'two' };
    await lease.release();
    await waitUntil(async () => (await said()) === before + 1, { what: 'the lease is told' });
    await pool.lease(async (again) => expect(await again.client('ID')).toBe(id));
  });

  test('are asked for before they expire, and nobody is told when they are the same', async () => {
    await setUser('first', 'one');
    let asked = 0;
    const pool = openPool({
      url: proxy.url,
      credentials: async () => {
        asked += 1;
        return { username: 'first', password: 'one', validForMs: 200 };
      },
    });
    await pool.ready();
    await waitUntil(() => asked >= 5, { what: 'it was asked five times' });
    expect(pool.stats()).toMatchObject({ reauthentications: 0, connectAttempts: 1 });
  });

  test('that the server refuses cost nobody the connection, are asked for again, and are in no log', async () => {
    await setUser('first', 'one');
    let password = 'one';
    const lines: unknown[] = [];
    const note = (...line: unknown[]): void => void lines.push(line);
    const pool = openPool({
      url: proxy.url,
      credentials: () => ({ username: 'first', password, validForMs: 300 }),
      logger: { debug: note, info: note, warn: note, error: note },
    });
    await pool.set('key', 'value');
    password = 'not-yet-known-there';
    await waitUntil(() => pool.stats().reauthenticationsFailed > 0, { what: 'a refusal' });
    expect(await pool.get('key')).toBe('value');
    expect(pool.stats().lostConnections).toBe(0);
    expect(JSON.stringify(lines)).toContain('WRONGPASS');
    expect(JSON.stringify(lines)).not.toContain(password);
    password = 'one';
    await waitUntil(() => pool.stats().reauthentications > 0, { what: 'the right one is told' });
  });

  test('a provider that throws leaves the open connections alone, and is asked again', async () => {
    await setUser('first', 'one');
    let asked = 0;
    const pool = openPool({
      url: proxy.url,
      credentials: () => {
        asked += 1;
        if (asked === 2) throw new Error('the provider is away');
        return { username: 'first', password: 'one', validForMs: 100 };
      },
    });
    await pool.ready();
    await waitUntil(() => asked >= 3, { what: 'it was asked again' });
    expect(await pool.ping()).toBe('PONG');
    expect(pool.stats()).toMatchObject({ connectAttempts: 1, lostConnections: 0 });
  });

  test('a wrong password is asked for again soon where it may change', async () => {
    await setUser('first', 'two');
    let password = 'one';
    const pool = openPool({
      url: proxy.url,
      credentials: () => ({ username: 'first', password }),
      reconnect: FAST_RECONNECT,
    });
    expect(await errorOf(pool.ready())).toMatchObject({ code: 'RP_ERR_AUTH' });
    password = 'two';
    expect(await pool.ping()).toBe('PONG');
  });

  test.each([
    ['nothing', undefined, 'an object, answered undefined'],
    ['a text', 's3cret', 'an object, answered a string'],
    ['no password', { username: 'first' }, 'a password that is a string, answered undefined'],
    [
      'a number as user',
      { username: 5, password: 's3cret' },
      'a username that is a string, answered a number',
    ],
    ['a time of 0', { password: 's3cret', validForMs: 0 }, 'a validForMs that is a number above 0'],
  ])('%s is no answer', async (_, answer, rule) => {
    const pool = openPool({ url: proxy.url, credentials: () => answer as unknown as Credentials });
    const error = await errorOf(pool.ready({ timeoutMs: 200 }));
    expect(error.message).toContain(`credentials() must answer with ${rule}`);
    expect(error.message).not.toContain('s3cret');
  });
});
