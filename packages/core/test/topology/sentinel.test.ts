import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import {
  createCertificates,
  type FaultProxy,
  freePort,
  type RedisServer,
  type SentinelGroup,
  startFaultProxy,
  startSentinels,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { codeOf, errorOf, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';
import { exercise } from './exercise.js';

const FAST_RECONNECT = { minDelayMs: 5, maxDelayMs: 20 };

let group: SentinelGroup;
let master: RedisServer;
let replica: RedisServer;

useLeakCheck(() => [...group.servers, ...group.sentinels]);
const { openPool } = usePools();

beforeAll(async () => {
  group = await startSentinels();
  master = await group.master();
  [replica] = (await group.replicas()) as [RedisServer];
});
afterAll(() => group.stop());
beforeEach(() => master.adminCommand('FLUSHALL'));
afterEach(async () => {
  for (const sentinel of group.sentinels) if (sentinel.status === 'frozen') sentinel.thaw();
});

type RedisPart = NonNullable<RedisPoolOptions['redis']>;

const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({ host, port });

function following(more: RedisPart = {}): { redis: RedisPart } {
  return { redis: { sentinels: group.sentinels.map(addressOf), name: group.name, ...more } };
}

/** Names of the pool's connections at a server, by what they are for. */
async function rolesAt(server: RedisServer): Promise<string[]> {
  return (await server.clients()).map(({ name }) => name.split(':')[1] ?? '').sort();
}

describe.each(LINKS)('a pool that follows Sentinels over the %s link', (link) => {
  useLink(link);

  test('does all that one does with a fixed address, at the master, and listens to each Sentinel once', async () => {
    const pool = openPool({ ...following(), minIdleLeases: 3 });
    await exercise(pool);
    expect(pool.stats().lanes).toMatchObject([{ up: true, link }]);
    expect(await rolesAt(master)).toEqual(expect.arrayContaining(['lane', 'lease', 'lease', 'lease']));
    expect(await rolesAt(replica)).toEqual([]);
    for (const sentinel of group.sentinels) {
      await waitUntil(async () => (await rolesAt(sentinel)).join() === 'sentinel', {
        what: 'the Sentinel has one connection of the pool',
      });
    }
    await pool.close();
    for (const sentinel of group.sentinels) expect(await sentinel.clients()).toEqual([]);
  });

  test('with role replica reads from a replica, which refuses writes', async () => {
    const reader = openPool(following({ role: 'replica' }));
    await master.adminCommand('SET', 'key', 'value');
    await waitUntil(async () => (await reader.get('key')) === 'value', { what: 'the replica has the value' });
    expect((await errorOf(reader.set('key', 'other'))).message).toMatch(/^READONLY/);
    expect(await rolesAt(replica)).toEqual(['lane']);
    expect(await rolesAt(master)).toEqual([]);
  });
});

describe('Sentinels that do not answer', () => {
  test('hold up nobody while one does: refused, frozen, and one that is fine', async () => {
    const [frozen, fine] = group.sentinels as [RedisServer, RedisServer];
    frozen.freeze();
    const sentinels = [{ host: '127.0.0.1', port: await freePort() }, addressOf(frozen), addressOf(fine)];
    const pool = openPool(following({ sentinels, updateSentinels: false }));
    const startedAt = performance.now();
    await pool.ready();
    expect(performance.now() - startedAt).toBeLessThan(800);
    expect(await pool.set('key', 'value')).toBe('OK');
  });

  test('are replaced by those that the others know of', async () => {
    const proxy = await startFaultProxy({ target: group.sentinels[0] as RedisServer });
    const pool = openPool({
      ...following({ sentinels: [{ host: '127.0.0.1', port: proxy.port }] }),
      reconnect: FAST_RECONNECT,
    });
    await pool.ready();
    await proxy.close();
    await master.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'the connection is lost' });
    expect(await pool.set('key', 'value')).toBe('OK');
  });

  test('are named by ready(), and found again when one comes back', async () => {
    const proxy = await startFaultProxy({ target: group.sentinels[0] as RedisServer });
    proxy.refuse();
    const pool = openPool({
      ...following({ sentinels: [{ host: '127.0.0.1', port: proxy.port }] }),
      reconnect: FAST_RECONNECT,
    });
    const error = await errorOf(pool.ready({ timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT', retryable: true });
    expect(error.message).toContain('no Sentinel tells where it is: could not connect to 127.0.0.1:');
    expect(error.message).toContain('ECONNREFUSED');
    const ready = pool.ready();
    await proxy.accept();
    await ready;
    await pool.close();
    await proxy.close();
  });

  test('timeout: end an attempt within connectTimeoutMs, and close() at once', async () => {
    const silent = await startFaultProxy({ target: group.sentinels[0] as RedisServer });
    await silent.acceptAndSilence();
    const sentinels = [{ host: '127.0.0.1', port: silent.port }];
    const pool = openPool({ ...following({ sentinels }), connectTimeoutMs: 200, commandTimeoutMs: 60_000 });
    const error = await errorOf(pool.ready());
    expect(error.message).toContain('no Sentinel tells where it is');
    expect(error.message).toContain('within 100 ms (connectTimeoutMs)');
    const call = outcomeOf(pool.get('key'));
    const startedAt = performance.now();
    await pool.close({ timeoutMs: 100 });
    expect(performance.now() - startedAt).toBeLessThan(400);
    expect(codeOf((await call).error)).toBe('RP_ERR_CLOSED');
    await silent.heal();
    await silent.close();
  });

  test('abort: ready() ends with the reason, and the pool goes on asking', async () => {
    const silent = await startFaultProxy({ target: group.sentinels[0] as RedisServer });
    await silent.acceptAndSilence();
    const sentinels = [{ host: '127.0.0.1', port: silent.port }];
    const pool = openPool({ ...following({ sentinels }), connectTimeoutMs: 300, reconnect: FAST_RECONNECT });
    const controller = new AbortController();
    const waiting = errorOf(pool.ready({ signal: controller.signal, timeoutMs: 5_000 }));
    await waitUntil(() => silent.connectionCount > 0, { what: 'the Sentinel is asked' });
    controller.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    await silent.heal();
    await waitUntil(() => pool.status === 'ready', { what: 'the pool is ready' });
    await pool.close();
    await silent.close();
  });
});

describe('what Sentinels say', () => {
  test('is refused at once when none knows the group', async () => {
    const pool = openPool(following({ name: 'other' }));
    const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
    expect(error).toMatchObject({ code: 'RP_ERR_CONNECT' });
    expect(error.message).toContain('no Sentinel knows a group "other" (redis.name)');
    expect(pool.stats().connectAttempts).toBe(1);
  });

  test('is translated by natMap, an object or a function', async () => {
    const proxies = await Promise.all(group.servers.map((target) => startFaultProxy({ target })));
    const keyOf = ({ host, port }: RedisServer) => `${host}:${port}`;
    const entries = group.servers.map(
      (server, index) =>
        [keyOf(server), { host: '127.0.0.1', port: (proxies[index] as FaultProxy).port }] as const,
    );
    const map = Object.fromEntries(entries);
    for (const natMap of [map, (key: string) => map[key] ?? null]) {
      const accepted = () => proxies.reduce((sum, proxy) => sum + proxy.acceptedCount, 0);
      const before = accepted();
      const pool = openPool(following({ natMap }));
      expect(await pool.set('key', 'value')).toBe('OK');
      expect(accepted()).toBe(before + 1);
      await pool.close();
    }
    for (const proxy of proxies) await proxy.close();
  });

  test('is checked with the server itself: a replica that is named as master gets no command', async () => {
    const natMap = { [`${master.host}:${master.port}`]: addressOf(replica) };
    const seen: string[] = [];
    const pool = openPool({
      ...following({ natMap }),
      reconnect: FAST_RECONNECT,
      commandTimeoutMs: 300,
      hooks: { connect: ({ role }) => void seen.push(role) },
    });
    const call = outcomeOf(pool.set('key', 'value'));
    const error = await errorOf(pool.ready({ timeoutMs: 150 }));
    expect(error.message).toMatch(/name 127\.0\.0\.1:\d+ as master, but it is a slave/);
    expect((await call).error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    expect(seen).toEqual([]);
  });

  test('is taken as it is for a user who may not ask for the ROLE', async () => {
    for (const server of group.servers) {
      await server.adminCommand('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+get', '+set');
    }
    const pool = openPool(following({ username: 'app', password: 'secret' }));
    expect(await pool.set('key', 'value')).toBe('OK');
    await pool.close();
    for (const server of group.servers) await server.adminCommand('ACL', 'DELUSER', 'app');
  });

  test.each([
    ['an address', () => ({ ip: replica.host, port: `${replica.port}` })],
    [
      'a list',
      () => [
        { ip: 'nowhere', port: '1', prio: 1 },
        { ip: replica.host, port: `${replica.port}`, prio: 2 },
      ],
    ],
    ['a function', () => (all: { ip: string; port: string }[]) => all[0] ?? null],
  ])('about replicas is chosen from by preferredSlaves, %s', async (_, preferredSlaves) => {
    const pool = openPool(following({ role: 'slave', preferredSlaves: preferredSlaves() }));
    await pool.ping();
    expect(await rolesAt(replica)).toEqual(['lane']);
  });
});

describe('what a Sentinel announces', () => {
  /** One Sentinel, and a way to say something in its name to who listens to it. */
  async function withAnnouncer(
    use: (
      sentinels: RedisPart['sentinels'],
      announce: (channel: string, text: string) => void,
    ) => Promise<void>,
  ): Promise<void> {
    const proxy = await startFaultProxy({ target: group.sentinels[0] as RedisServer });
    const announce = (channel: string, text: string) => {
      const parts = ['message', channel, text].map((part) => `$${part.length}\r\n${part}\r\n`);
      proxy.garbage(`*3\r\n${parts.join('')}`);
    };
    await use([{ host: '127.0.0.1', port: proxy.port }], announce);
    await proxy.close();
  }

  const listening = () =>
    waitUntil(
      async () => {
        const clients = await (group.sentinels[0] as RedisServer).clients();
        return clients.length === 1 && clients[0]?.fields.sub === '2';
      },
      { what: 'the Sentinel is listened to, and nothing else is asked' },
    );

  test('is asked about first, and is nothing when nothing has changed', async () => {
    await withAnnouncer(async (sentinels, announce) => {
      const pool = openPool(following({ sentinels, updateSentinels: false }));
      await pool.ping();
      await listening();
      const connections = (group.sentinels[0] as RedisServer).adminCommand('INFO', 'stats');
      const before = connectionsIn(await connections);
      const hasAsked = async () => {
        // Again and again: the first one may come before the answer to SUBSCRIBE.
        announce('+switch-master', `main ${master.host} ${master.port} ${replica.host} ${replica.port}`);
        const stats = await (group.sentinels[0] as RedisServer).adminCommand('INFO', 'stats');
        return connectionsIn(stats) > before;
      };
      await waitUntil(hasAsked, { what: 'the Sentinel is asked' });
      await listening();
      expect(await pool.set('key', 'value')).toBe('OK');
      expect(pool.stats().lostConnections).toBe(0);
      announce('+switch-master', `other ${master.host} ${master.port} ${replica.host} ${replica.port}`);
      announce('+failover-state-wait-promotion', 'slave x 10.0.0.1 1 @ other 10.0.0.2 2');
      expect(await pool.set('key', 'value')).toBe('OK');
      expect(pool.stats().lostConnections).toBe(0);
      await pool.close();
    });
  });

  test('of a promotion that comes to nothing is forgotten, and no command goes to the replica', async () => {
    await withAnnouncer(async (sentinels, announce) => {
      const redis = following({ sentinels, updateSentinels: false });
      const pool = openPool({ ...redis, commandTimeoutMs: 15_000 });
      await pool.ping();
      await listening();
      const { host, port } = replica;
      const text = `slave ${host}:${port} ${host} ${port} @ main ${master.host} ${master.port}`;
      const hasLeft = () => {
        announce('+failover-state-wait-promotion', text);
        return pool.stats().lostConnections === 1;
      };
      await waitUntil(hasLeft, { what: 'the pool has left the master' });
      expect(await pool.set('key', 'value')).toBe('OK');
      expect(await master.adminCommand('GET', 'key')).toBe('value');
      expect(await rolesAt(master)).toEqual(['lane']);
      await pool.close();
    });
  });

  function connectionsIn(stats: unknown): number {
    return Number(/total_connections_received:(\d+)/.exec(String(stats))?.[1]);
  }
});

test('a user of the Sentinels needs no more than the page on topologies says', async () => {
  const page = await readFile(new URL('../../../../docs/topologies.md', import.meta.url), 'utf8');
  const rules =
    /`(\+sentinel\|[^`]*)`[\s\S]*?channels `([^`]*)`/.exec(page)?.slice(1).join(' ').split(/\s+/) ?? [];
  expect(rules).toContain('&+switch-master');
  for (const sentinel of group.sentinels) {
    await sentinel.adminCommand('ACL', 'SETUSER', 'watcher', 'reset', 'on', '>secret', ...rules);
  }
  const pool = openPool(following({ sentinelUsername: 'watcher', sentinelPassword: 'secret' }));
  expect(await pool.set('key', 'value')).toBe('OK');
  for (const sentinel of group.sentinels) {
    await waitUntil(async () => (await rolesAt(sentinel)).join() === 'sentinel', {
      what: 'it is listened to',
    });
  }
  await pool.close();
  for (const sentinel of group.sentinels) await sentinel.adminCommand('ACL', 'DELUSER', 'watcher');
});

test('a dedicated client and its duplicate find the master, too', async () => {
  const pool = openPool(following());
  const client = pool.dedicated('library');
  const duplicate = client.duplicate();
  expect(await client.set('key', 'value')).toBe('OK');
  expect(await duplicate.get('key')).toBe('value');
  expect(await rolesAt(master)).toEqual(['library', 'library']);
  await pool.close();
});

test('one with a failover detector that is turned off listens to nobody', async () => {
  const pool = openPool(following({ failoverDetector: false }));
  await pool.ping();
  for (const sentinel of group.sentinels) {
    await waitUntil(async () => (await sentinel.clients()).length === 0, { what: 'nobody is connected' });
  }
});

test('a Sentinel that falls silent is listened to again', async () => {
  const [one] = group.sentinels as [RedisServer];
  const proxy = await startFaultProxy({ target: one });
  const sentinels = [addressOf({ host: '127.0.0.1', port: proxy.port })];
  const quick = { heartbeatMs: 100, commandTimeoutMs: 1_000 };
  const pool = openPool({ ...following({ sentinels, updateSentinels: false }), ...quick });
  await pool.ping();
  const listeners = async () => (await one.clients()).filter(({ fields }) => fields.sub === '2');
  await waitUntil(async () => (await listeners()).length === 1, { what: 'it is listened to' });
  const [before] = await listeners();
  await waitUntil(() => pool.stats().heartbeats >= 4, { what: 'it was asked whether it is there' });
  expect(await listeners()).toMatchObject([{ id: before?.id }]);
  proxy.forgetConnections();
  await waitUntil(() => pool.stats().heartbeatsFailed === 1, { what: 'the silence is noticed' });
  const isHeard = async () => (await listeners()).some(({ id }) => id !== before?.id);
  await waitUntil(isHeard, { what: 'it is listened to again' });
  expect(pool.stats()).toMatchObject({ status: 'ready', lostConnections: 0 });
  await pool.close();
  await proxy.close();
});

describe('passwords and TLS of Sentinels', () => {
  const certificates = createCertificates();
  const { ca, server, client } = certificates;
  let locked: SentinelGroup;

  beforeAll(async () => {
    const tls = { ca, ...server, clientCertificates: true };
    locked = await startSentinels({
      sentinels: 2,
      password: 'data-secret',
      sentinelPassword: 'watch-secret',
      tls,
    });
  });
  afterAll(() => locked.stop());

  const right = () => ({
    sentinels: locked.sentinels.map(addressOf),
    name: locked.name,
    password: 'data-secret',
    sentinelPassword: 'watch-secret',
    tls: { ca, ...client },
    sentinelTLS: { ca, ...client },
  });

  test('are the Sentinels own, beside those of the servers', async () => {
    const pool = openPool({ redis: right() });
    await exercise(pool);
    expect(await pool.dedicated('library').get('app:0')).toBe('value 0');
    await pool.close();
  });

  const wrong: [what: string, change: object, code: string, text: string][] = [
    [
      'a wrong password of the Sentinels',
      { sentinelPassword: 'wr0ng' },
      'RP_ERR_AUTH',
      'redis.sentinelPassword',
    ],
    ['no password for the Sentinels', { sentinelPassword: undefined }, 'RP_ERR_AUTH', 'no Sentinel tells'],
    ['a wrong password of the servers', { password: 'wr0ng' }, 'RP_ERR_AUTH', 'refused the credentials'],
    [
      'no authority for the Sentinels',
      { sentinelTLS: { ...client } },
      'RP_ERR_CONNECT',
      'set redis.sentinelTLS.ca',
    ],
    ['no authority for the servers', { tls: { ...client } }, 'RP_ERR_CONNECT', 'set redis.tls.ca'],
  ];
  test.each(wrong)('%s is told at once, without a secret', async (_, change, code, text) => {
    const pool = openPool({ redis: { ...right(), ...change } });
    const startedAt = performance.now();
    const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/secret|wr0ng|PRIVATE/);
    await pool.close();
  });
});
