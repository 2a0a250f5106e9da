import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPipeline, RedisPool } from '../../src/index.js';
import {
  callsAt,
  codeOf,
  errorOf,
  expectIdle,
  isIdle,
  LINKS,
  type Outcome,
  outcomeOf,
  useLink,
  usePools,
} from './pool-harness.js';

const FAST_RECONNECT = { minDelayMs: 1, maxDelayMs: 10 };
const LOST = { code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true, retryable: false };

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis({ args: ['--enable-debug-command', 'yes'] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('SCRIPT', 'FLUSH');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  await proxy.close();
  if (server.status === 'frozen') server.thaw();
});

/**
 * A value whose reply gets stuck half-way on each connection: `proxy.stallAfter(STALL_AT, 'toClient')` lets a
 * handshake pass, and a connection can be lost as often as wanted while the server has executed the command.
 */
const BIG = 'v'.repeat(300_000);
const STALL_AT = 100_000;

async function openWithBigValue(retryReads: number): Promise<RedisPool> {
  const pool = openPool({ url: proxy.url, retryReads, reconnect: FAST_RECONNECT });
  await pool.set('big', BIG);
  proxy.stallAfter(STALL_AT, 'toClient');
  await server.adminCommand('CONFIG', 'RESETSTAT');
  return pool;
}

/** Loses the connection once the server ran the command `times` in all. */
async function loseAfter(times: number, command: string): Promise<void> {
  await waitUntil(async () => (await callsAt(server, command)) === times, {
    what: `the server ran ${command} ${times} times`,
  });
  proxy.reset();
}

describe.each(LINKS)('a lost connection over the %s link', (link) => {
  useLink(link);

  test.each([0, 1, 2])(
    'with retryReads %i a read is sent so many times again, and no more',
    async (retryReads) => {
      const pool = await openWithBigValue(retryReads);
      const call = outcomeOf(pool.get('big'));
      for (let times = 1; times <= retryReads + 1; times += 1) await loseAfter(times, 'get');
      expect((await call).error).toMatchObject(LOST);
      await proxy.heal();
      expect(await pool.ping()).toBe('PONG');
      expect(await callsAt(server, 'get')).toBe(retryReads + 1);
      expect(pool.stats().resends).toBe(retryReads);
      expectIdle(pool);
    },
  );

  test.each([1, 2])('with retryReads %i a read survives so many losses', async (retryReads) => {
    const pool = await openWithBigValue(retryReads);
    const call = pool.get('big');
    for (let times = 1; times <= retryReads; times += 1) await loseAfter(times, 'get');
    await waitUntil(async () => (await callsAt(server, 'get')) === retryReads + 1, {
      what: 'it was sent again',
    });
    await proxy.heal();
    // Whole, not the half of the first connection and the rest of the next.
    expect(await call).toBe(BIG);
    expectIdle(pool);
  });

  const writes: [name: string, write: (pool: RedisPool) => Promise<unknown>, command: string][] = [
    ['SET', (pool) => pool.set('big', 'new', 'GET'), 'set'],
    ['GETDEL', (pool) => pool.getdel('big'), 'getdel'],
    ['EVAL', (pool) => pool.eval("return redis.call('GET', KEYS[1])", 1, 'big'), 'eval'],
    ['a pipeline of reads', (pool) => pool.pipeline().get('big').exec(), 'get'],
    ['a transaction of reads', (pool) => pool.multi().get('big').exec(), 'get'],
  ];
  test.each(writes)('%s is never sent again, whatever retryReads says', async (_, write, command) => {
    const pool = await openWithBigValue(3);
    const call = outcomeOf(write(pool));
    await loseAfter(1, command);
    expect((await call).error).toMatchObject(LOST);
    await proxy.heal();
    expect(await pool.ping()).toBe('PONG');
    expect(await callsAt(server, command)).toBe(1);
    expect(pool.stats().resends).toBe(0);
    expectIdle(pool);
  });

  test('reads are sent again in their order, in front of calls that came later', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.swallowReplies();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const finished: string[] = [];
    const note = (name: string) => () => void finished.push(name);
    const first = ['a', 'b', 'c'].map((key) => pool.get(key).then(note(key)));
    await waitUntil(async () => (await callsAt(server, 'get')) === 3, { what: 'the server ran all three' });
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded', { what: 'the pool has noticed' });
    const second = ['d', 'e'].map((key) => pool.get(key).then(note(key)));
    await proxy.heal();
    await Promise.all([...first, ...second]);
    expect(finished).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await callsAt(server, 'get')).toBe(8);
  });

  test('unsent writes survive a lost connection, in order, and run exactly once', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    // More than the buffers between here and the server hold.
    const ballast = Array.from({ length: 12 }, (_, index) =>
      outcomeOf(pool.set(`ballast:${index}`, 'x'.repeat(1_000_000))),
    );
    await waitUntil(() => Number(pool.stats().lanes[0]?.unsentBytes) > 2_000_000, {
      what: 'the socket is full',
    });
    const calls: Promise<Outcome>[] = [];
    for (let index = 0; index < 200; index += 1) {
      calls.push(outcomeOf(pool.incr(`counter:${index}`)), outcomeOf(pool.rpush('list', index)));
    }
    calls.push(outcomeOf(pool.multi().incr('in multi').incr('in multi').exec()));
    calls.push(outcomeOf(pool.pipeline().incr('in pipeline').incr('in pipeline').exec()));
    proxy.reset();
    await proxy.heal();
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
    // What was on the wire is told apart from what was not.
    const sent = (await Promise.all(ballast)).filter(({ error }) => error !== undefined);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThan(ballast.length);
    for (const { error } of sent) expect(error).toMatchObject(LOST);
    const counters = await pool.mget(Array.from({ length: 200 }, (_, index) => `counter:${index}`));
    expect(new Set(counters)).toEqual(new Set(['1']));
    expect(await pool.mget('in multi', 'in pipeline')).toEqual(['2', '2']);
    expect(await pool.lrange('list', 0, -1)).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`));
    expectIdle(pool);
  });

  test('calls made by the callbacks of lost ones come after what was unsent', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    const late: Promise<unknown>[] = [];
    const chain = pool.pipeline().incr('lost', () => late.push(pool.rpush('list', 'late')));
    for (let index = 0; index < 12; index += 1) chain.set(`ballast:${index}`, 'x'.repeat(1_000_000));
    const lost = outcomeOf(chain.exec());
    await waitUntil(() => Number(pool.stats().lanes[0]?.unsentBytes) > 2_000_000, {
      what: 'the socket is full',
    });
    const early = pool.rpush('list', 'early');
    proxy.reset();
    expect((await lost).error).toMatchObject(LOST);
    await proxy.heal();
    expect(await early).toBe(1);
    expect(await Promise.all(late)).toEqual([2]);
    expect(await pool.lrange('list', 0, -1)).toEqual(['early', 'late']);
  });

  test('a transaction whose EXEC never left was not executed and says so', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.stallAfter(0, 'toServer');
    const multi = pool.multi().incr('in multi');
    for (let index = 0; index < 12; index += 1) multi.set(`ballast:${index}`, 'x'.repeat(1_000_000));
    const call = outcomeOf(multi.incr('in multi').exec());
    await waitUntil(() => Number(pool.stats().lanes[0]?.unsentBytes) > 2_000_000, {
      what: 'the socket is full',
    });
    proxy.reset();
    await proxy.heal();
    expect((await call).error).toMatchObject({
      code: 'RP_ERR_CONNECTION_LOST',
      maybeExecuted: false,
      retryable: true,
    });
    expect(await pool.get('in multi')).toBeNull();
    expectIdle(pool);
  });

  test('a chain rejects when its connection is lost, in every form, also when part of it was answered', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.set('big', BIG);
    proxy.stallAfter(STALL_AT, 'toClient');
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const told: unknown[] = [];
    const chains = [
      pool.pipeline().incr('key').get('big').incr('key').exec(),
      pool.pipeline().incr('key').execOrThrow(),
      pool.pipeline([['incr', 'key']]).exec(),
      pool.multi().incr('key').exec(),
      pool.multi().incr('key').execOrThrow(),
      (pool.pipeline().multi().incr('key').exec() as unknown as RedisPipeline).exec(),
      pool
        .pipeline()
        .incr('key')
        .exec((error, results) => told.push([error, results])),
    ] as Promise<unknown>[];
    const outcomes = chains.map(outcomeOf);
    await loseAfter(1, 'get');
    for (const { error } of await Promise.all(outcomes)) expect(error).toMatchObject(LOST);
    expect(told).toHaveLength(1);
    expect(told[0]).toEqual([expect.objectContaining(LOST), undefined]);
    expectIdle(pool);
  });

  test('a chain of an aborted scope rejects with the reason, and leaves the reason as it is', async () => {
    const pool = openPool({ url: proxy.url });
    await pool.ready();
    proxy.swallowReplies();
    for (const reason of [new Error('hung up'), 'hung up', null, Object.freeze(new Error('frozen'))]) {
      const controller = new AbortController();
      const scope = pool.scope({ signal: controller.signal });
      const chains = [
        scope.pipeline().incr('key').get('key').exec(),
        scope.multi().incr('key').exec(),
        scope.multi().incr('key').execOrThrow(),
      ];
      const settled = Promise.allSettled(chains);
      await nextTurn();
      controller.abort(reason);
      for (const result of await settled) expect(result).toEqual({ status: 'rejected', reason });
      if (reason instanceof Error) expect(Object.keys(reason)).toEqual([]);
    }
  });

  test('a lane that is killed under load again and again loses only what was in flight', async () => {
    const pool = openPool({ url: server.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const acknowledged = { count: 0 };
    const lost = { count: 0 };
    const strange: unknown[] = [];
    let running = true;
    const caller = async (id: number) => {
      while (running) {
        const outcomes = await Promise.all([
          outcomeOf(pool.incr('total')),
          outcomeOf(pool.get(`static:${id}`)),
          outcomeOf(pool.incr('total')),
        ]);
        for (const [index, { value, error }] of outcomes.entries()) {
          if (index === 1) {
            if (error !== undefined && codeOf(error) !== 'RP_ERR_CONNECTION_LOST') strange.push(error);
          } else if (error === undefined && typeof value === 'number') acknowledged.count += 1;
          else if ((error as { maybeExecuted?: boolean }).maybeExecuted === true) lost.count += 1;
          else strange.push(error);
        }
      }
    };
    const callers = Array.from({ length: 32 }, (_, id) => caller(id));
    for (let kills = 1; kills <= 20; kills += 1) {
      await waitUntil(() => pool.stats().lanes[0]?.up === true, { what: 'the lane is up' });
      const before = acknowledged.count;
      await waitUntil(() => acknowledged.count > before + 50, { what: 'there is load' });
      await server.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await waitUntil(() => pool.stats().lostConnections === kills, { what: 'the pool has noticed' });
    }
    running = false;
    await Promise.all(callers);
    expect(strange).toEqual([]);
    const total = Number(await pool.get('total'));
    expect(total).toBeGreaterThanOrEqual(acknowledged.count);
    expect(total).toBeLessThanOrEqual(acknowledged.count + lost.count);
    expect(pool.stats().lanes[0]?.connections).toBe(21);
    expectIdle(pool);
  });

  test('a server that restarts under load is found again, and every call settles', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 5_000, reconnect: FAST_RECONNECT });
    await pool.ready();
    let answered = 0;
    const codes = new Set<string | undefined>();
    let running = true;
    const caller = async () => {
      while (running) {
        const { error } = await outcomeOf(pool.incr('key'));
        if (error === undefined) answered += 1;
        else codes.add(codeOf(error));
      }
    };
    const callers = Array.from({ length: 32 }, caller);
    for (let restarts = 0; restarts < 2; restarts += 1) {
      const before = answered;
      await waitUntil(() => answered > before + 100, { what: 'there is load' });
      await server.restart();
    }
    const before = answered;
    await waitUntil(() => answered > before + 100, { what: 'the pool is back' });
    running = false;
    await Promise.all(callers);
    for (const code of codes) expect(code).toBe('RP_ERR_CONNECTION_LOST');
    expectIdle(pool);
  });

  test('a server that ends the connection in order is a lost connection too, and nothing hangs', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    for (let round = 1; round <= 10; round += 1) {
      // The server's half is closed: nothing that is written from now on is read by anybody.
      proxy.halfClose();
      const calls = Array.from({ length: 20 }, () => outcomeOf(pool.get('key')));
      for (const { error } of await Promise.all(calls)) expect(error).toBeUndefined();
      expect(pool.stats().lostConnections).toBe(round);
    }
    expectIdle(pool);
  });

  test('a write after the end that the server announced is not sent, and runs over the next connection', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    for (let round = 1; round <= 40; round += 1) {
      const outcomes: Promise<Outcome>[] = [];
      await waitUntil(() => pool.stats().lanes[0]?.up === true, { what: 'the lane is up' });
      proxy.halfClose();
      // The first call comes after more and more turns of the event loop: before the end was read, and after.
      for (let turn = 0; pool.stats().lostConnections < round; turn += 1) {
        if (turn >= round % 10) outcomes.push(outcomeOf(pool.incr(`round:${round}:${outcomes.length}`)));
        await nextTurn();
      }
      const settled = await Promise.all(outcomes);
      // The proxy still forwards what it is sent: a call that was lost has run, or it was never written.
      for (const [index, { error }] of settled.entries()) {
        if (error !== undefined) expect(error).toMatchObject(LOST);
        expect(await server.adminCommand('GET', `round:${round}:${index}`)).toBe('1');
      }
    }
  });

  // ioredis itself drops such a reply when it can be told; the direct link trusts the connection no more.
  const unaskedReply = async (): Promise<void> => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.set('key', 'value');
    for (let round = 1; round <= 5; round += 1) {
      proxy.garbage('$5\r\nALIEN\r\n');
      await waitUntil(() => pool.stats().lostConnections === round, { what: 'the connection is gone' });
      expect(await pool.get('key')).toBe('value');
    }
  };
  // ioredis itself reports such a reply and goes on: the public link cannot know of it.
  if (link === 'direct') test('a reply without a question ends the connection', unaskedReply);

  test.each([
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    '\u0000\u0000\u0000',
    '?2\r\n',
    // Half a truth: ioredis's decoder takes these for replies.
    ...(link === 'direct' ? ['$-7\r\n', '*1\r\n$3\r\nabcdef', ':12a\r\n'] : []),
  ])('%j ends the connection; what was in flight is told so, and the next call works', async (bytes) => {
    const pool = openPool({ url: proxy.url, retryReads: 0, reconnect: FAST_RECONNECT });
    await pool.set('key', 'value');
    proxy.swallowReplies();
    const calls = [pool.incr('count'), pool.get('key'), pool.pipeline().incr('count').exec()].map(outcomeOf);
    await waitUntil(() => pool.stats().lanes[0]?.unsentBytes === 0, { what: 'all is written' });
    proxy.garbage(bytes);
    for (const { error } of await Promise.all(calls)) expect(error).toMatchObject(LOST);
    expect(pool.stats().lostConnections).toBe(1);
    await proxy.heal();
    expect(await pool.get('key')).toBe('value');
    expectIdle(pool);
  });

  test('garbage among real replies under load never reaches a caller', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.mset(Object.fromEntries(Array.from({ length: 32 }, (_, id) => [`key:${id}`, `value:${id}`])));
    const strange: unknown[] = [];
    let running = true;
    const caller = async (id: number) => {
      while (running) {
        const { value, error } = await outcomeOf(pool.get(`key:${id}`));
        const isOwn =
          error === undefined ? value === `value:${id}` : codeOf(error) === 'RP_ERR_CONNECTION_LOST';
        if (!isOwn) strange.push([id, value, error]);
      }
    };
    const callers = Array.from({ length: 32 }, (_, id) => caller(id));
    // Only what cannot pass for a reply: a forged one between two real ones is beyond any client.
    for (let round = 1; round <= 15; round += 1) {
      await waitUntil(() => pool.stats().lanes[0]?.up === true, { what: 'the lane is up' });
      proxy.garbage('?garbage\r\n');
      await waitUntil(() => pool.stats().lostConnections >= round, { what: 'the connection is gone' });
    }
    running = false;
    await Promise.all(callers);
    expect(strange).toEqual([]);
  });

  test('the error says what happened to the connection, and nothing of the arguments', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.swallowReplies();
    const call = errorOf(pool.set('secret-key', 'secret-value'));
    await waitUntil(() => proxy.bytesDropped > 0, { what: 'the server has answered' });
    proxy.reset();
    const error = await call;
    expect(error).toMatchObject(LOST);
    expect(error.cause).toMatchObject({ code: 'ECONNRESET' });
    const { inspect } = await import('node:util');
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret');
    await waitUntil(() => isIdle(pool), { what: 'nothing is pending' });
  });
});
