import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPoolOptions } from '../../src/index.js';
import { callsAt, errorOf, LINKS, outcomeOf, useLink, usePools } from '../fault/pool-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

// Renamed commands are to the pool what commands of a module are: it has never heard of them, the server has.
beforeAll(async () => {
  const renamed = { RPUSH: 'MOD.RPUSH', BLPOP: 'MOD.BLPOP', APPEND: 'MOD.APPEND' };
  server = await startRedis({
    args: Object.entries(renamed).flatMap(([from, to]) => ['--rename-command', from, to]),
  });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy = await startFaultProxy({ target: server });
});
afterEach(() => proxy.close());

const open = (options: RedisPoolOptions = {}) =>
  openPool({ url: proxy.url, reconnect: { minDelayMs: 1, maxDelayMs: 5 }, ...options });

const asked = () => callsAt(server, 'command\\|info');

describe.each(LINKS)('commands that are not in the table, over the %s link', (link) => {
  useLink(link);

  test("one that the server does not know gets the server's error, and is asked about once", async () => {
    const pool = open();
    const calls = Array.from({ length: 20 }, () =>
      outcomeOf(pool.call('no.such.command', 'secret-argument')),
    );
    for (const { error } of await Promise.all(calls)) {
      expect(error).toMatchObject({
        name: 'ReplyError',
        message: expect.stringMatching(/^ERR unknown command/),
      });
      expect((error as Error).message).not.toContain('secret-argument');
    }
    await errorOf(pool.call('NO.SUCH.COMMAND'));
    await errorOf(pool.call('No.Such.Command'));
    expect(await asked()).toBe(1);
    const results = await pool.pipeline().set('key', 'x').call('no.such.command').get('key').exec();
    expect(results?.map(([error, value]) => error?.name ?? value)).toEqual(['OK', 'ReplyError', 'x']);
    expect(await asked()).toBe(1);
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  });

  test('one that the server knows runs, with every kind of call', async () => {
    const pool = open();
    expect(await pool.call('mod.rpush', 'list', 'a', 'b')).toBe(2);
    expect(await pool.call('MOD.RPUSH', ['list', 'c'])).toBe(3);
    const called = await new Promise((resolve) => {
      void pool.call('mod.append', 'key', 'text', (error: unknown, value: unknown) =>
        resolve([error, value]),
      );
    });
    expect(called).toEqual([null, 4]);
    expect(await pool.multi().call('mod.append', 'key', 'more').get('key').exec()).toEqual([
      [null, 8],
      [null, 'textmore'],
    ]);
    expect(await asked()).toBe(2);
  });

  test('once it is known, it keeps its place among the other commands of its caller', async () => {
    const pool = open();
    await pool.call('mod.rpush', 'warm-up', 'x');
    const calls: Promise<unknown>[] = [];
    for (let index = 0; index < 300; index += 1) {
      const number = `${index}`;
      if (index % 3 === 0) calls.push(pool.call('mod.rpush', 'list', number));
      else if (index % 3 === 1) calls.push(pool.linsert('list', 'AFTER', `${index - 1}`, number));
      else calls.push(pool.pipeline().call('mod.rpush', 'list', number).exec());
    }
    await Promise.all(calls);
    expect(await pool.lrange('list', 0, -1)).toEqual(Array.from({ length: 300 }, (_, index) => `${index}`));
  });

  test('one that blocks never holds up the lane', async () => {
    const pool = open();
    const parked = pool.call('mod.blpop', 'queue', 5);
    await waitUntil(async () => (await server.clients()).some(({ flags }) => flags.includes('b')), {
      what: 'it waits at the server',
    });
    const startedAt = performance.now();
    for (let count = 0; count < 10; count += 1) expect(await pool.ping()).toBe('PONG');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await pool.call('mod.rpush', 'queue', 'element');
    expect(await parked).toEqual(['queue', 'element']);
  });

  test('a question that is lost with its connection is asked again, and the command runs once', async () => {
    const pool = open();
    await pool.ready();
    proxy.swallowReplies();
    const call = pool.call('mod.rpush', 'list', 'x');
    await waitUntil(async () => (await asked()) === 1, { what: 'the server was asked' });
    await proxy.heal();
    expect(await call).toBe(1);
    expect(await pool.llen('list')).toBe(1);
  });

  test('a question that fails fails the command, which was not sent, and the next call asks again', async () => {
    const pool = open({ commandTimeoutMs: 150 });
    await pool.ready();
    proxy.swallowReplies();
    const calls = [pool.call('mod.rpush', 'list', 'x'), pool.call('mod.rpush', 'list', 'y')].map(outcomeOf);
    for (const { error } of await Promise.all(calls)) {
      expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: false, retryable: true });
    }
    await proxy.heal();
    await waitUntil(() => pool.stats().lostConnections === 1, { what: 'the connection is lost' });
    await pool.ready();
    expect(await pool.call('mod.rpush', 'list', 'z')).toBe(1);
  });

  test('a scope that ends does not wait for the answer', async () => {
    const pool = open();
    await pool.ready();
    proxy.swallowReplies();
    const controller = new AbortController();
    const reason = new Error('the client hung up');
    const scope = pool.scope({ signal: controller.signal });
    const calls = [
      scope.call('mod.rpush', 'list', 'x'),
      scope.pipeline().call('mod.rpush', 'list', 'y').exec(),
    ].map(outcomeOf);
    await waitUntil(async () => (await asked()) === 1, { what: 'the server was asked' });
    const abortedAt = performance.now();
    controller.abort(reason);
    for (const { error, settledAt } of await Promise.all(calls)) {
      expect(error).toBe(reason);
      expect(settledAt - abortedAt).toBeLessThan(50);
    }
    await proxy.heal();
    await waitUntil(() => pool.stats().pending.commands === 0, { what: 'nothing is pending' });
    expect(await pool.exists('list')).toBe(0);
  });

  test('a user who may not ask COMMAND INFO leaves the judgement to the server', async () => {
    await server.adminCommand('ACL', 'SETUSER', 'curious', 'on', '>pw', '~*', '+@all', '-command');
    const pool = openPool({ url: `redis://curious:pw@127.0.0.1:${server.port}` });
    expect(await pool.call('mod.rpush', 'list', 'x')).toBe(1);
    await pool.close();
    await server.adminCommand('ACL', 'DELUSER', 'curious');
  });

  test('replies mapped to objects and sets do not hide that a command blocks', async () => {
    const pool = open({ redis: { replyMapping: 'resp3' } });
    const parked = pool.call('mod.blpop', 'queue', 5);
    await waitUntil(async () => (await server.clients()).some(({ flags }) => flags.includes('b')), {
      what: 'it waits at the server',
    });
    expect(await pool.ping()).toBe('PONG');
    await pool.call('mod.rpush', 'queue', 'element');
    expect(await parked).toEqual(['queue', 'element']);
  });
});
