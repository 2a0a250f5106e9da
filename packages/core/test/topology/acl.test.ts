import { readFile } from 'node:fs/promises';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { errorOf, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';
import { exercise } from './exercise.js';

const PASSWORD = 'correct-horse';
/** What `exercise()` does for the application. */
const APPLICATION = '~app:* &app:* +@read +@write +@pubsub +eval +evalsha';
/** What the pool does for itself, as the page on topologies has it. */
const PAGE = new URL('../../../../docs/topologies.md', import.meta.url);

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  const [, pool] = /```acl\n(.*)\n```/.exec(await readFile(PAGE, 'utf8')) ?? [];
  server = await startRedis({
    users: {
      app: `on >${PASSWORD} ${APPLICATION} ${pool}`,
      least: `on >${PASSWORD} ~app:* &app:* +get +set +del`,
      lame: `on >${PASSWORD} ~app:* &app:* +@all -@connection -info -role -echo -ping -command`,
    },
  });
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));

const as = (user: string, more: object = {}): RedisPoolOptions => ({
  redis: { host: server.host, port: server.port, username: user, password: PASSWORD, ...more },
});

describe.each(LINKS)('an ACL user over the %s link', (link) => {
  useLink(link);

  test('with the rules of the page on topologies can use everything', async () => {
    const pool = openPool(as('app', { db: 0 }));
    await exercise(pool);
    expect((await server.clients()).map(({ name }) => name)).toContain(`${pool.name}:lane:${process.pid}`);
  });

  test('without any of them can use what its application may', async () => {
    const pool = openPool(as('least'));
    expect(await pool.set('app:key', 'value')).toBe('OK');
    expect(await pool.lease((lease) => lease.get('app:key'))).toBe('value');
    const [client] = await server.clients();
    expect(client?.name).toBe('');
  });

  const denied: [what: string, call: (pool: Redis) => Promise<unknown>][] = [
    ['a command', (pool) => pool.incr('app:key')],
    ['a key', (pool) => pool.get('other:key')],
    ['a blocking command', (pool) => pool.blpop('app:key', 1)],
    ['a script', (pool) => pool.eval('return 1', 0)],
    ['a command that nobody knows', (pool) => pool.call('FOO.BAR', 'app:key') as Promise<unknown>],
  ];
  test.each(denied)('gets the error of Redis itself for %s that is denied', async (_, call) => {
    const pool = openPool(as('least'));
    const { host, port } = server;
    const login = { host, port, username: 'least', password: PASSWORD };
    const raw = new Redis({
      ...login,
      retryStrategy: null,
      disableClientInfo: true,
      enableReadyCheck: false,
    });
    raw.on('error', () => {});
    const [ours, theirs] = [await errorOf(call(pool as unknown as Redis)), await errorOf(call(raw))];
    raw.disconnect();
    expect(ours.name).toBe('ReplyError');
    // Redis repeats the arguments of a command that it does not know; the pool masks them.
    expect(ours.message).toBe(theirs.message.replace(/(beginning with: ).*/, '$1***'));
    expect(await pool.set('app:key', 'value')).toBe('OK');
  });

  test('gets the error of Redis itself for a channel that is denied, and the others go on', async () => {
    const pool = openPool(as('app'));
    const got: string[] = [];
    await pool.subscribe('app:news', (text) => got.push(String(text)));
    const error = await errorOf(pool.subscribe('other:news', () => {}));
    expect(error.message).toMatch(/^NOPERM this user has no permissions to access one of the channels/);
    await pool.publish('app:news', 'hello');
    await waitUntil(() => got.length === 1, { what: 'the message arrives' });
  });
});

test('a user without CLIENT UNBLOCK, SETNAME, PING, ECHO, COMMAND and SELECT uses everything on database 0', async () => {
  const pool = openPool(as('lame'));
  expect(await pool.multi().incr('app:count').exec()).toEqual([[null, 1]]);
  const replies = await pool.transaction(['app:count'], async (_, queue) => {
    queue.incr('app:count');
  });
  expect(replies).toEqual([2]);
  const popped = pool.blpop('app:queue', 5);
  await pool.rpush('app:queue', 'element');
  expect(await popped).toEqual(['app:queue', 'element']);
  const controller = new AbortController();
  const given = outcomeOf(pool.scope({ signal: controller.signal }).blpop('app:queue', 5));
  controller.abort(new Error('gone'));
  expect((await given).error).toMatchObject({ message: 'gone' });
});

test('a user that may not SELECT is told so at ready(), at once', async () => {
  const pool = openPool(as('lame', { db: 3 }));
  const error = await errorOf(pool.ready({ timeoutMs: 10_000 }));
  expect(error).toMatchObject({ code: 'RP_ERR_AUTH' });
  expect(error.message).toContain("NOPERM this user has no permissions to run the 'select' command");
  expect(error.message).not.toContain(PASSWORD);
});

test('rights that are taken away while the pool runs are missed by the next command, and by nothing else', async () => {
  await server.adminCommand('ACL', 'SETUSER', 'passing', 'on', `>${PASSWORD}`, '~app:*', '+get', '+set');
  const pool = openPool(as('passing'));
  await pool.set('app:key', 'value');
  await server.adminCommand('ACL', 'SETUSER', 'passing', '-set');
  expect((await errorOf(pool.set('app:key', 'other'))).message).toMatch(/^NOPERM/);
  expect(await pool.get('app:key')).toBe('value');
  expect(pool.stats().lostConnections).toBe(0);
  await pool.close();
  await server.adminCommand('ACL', 'DELUSER', 'passing');
});
