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
  callsAt,
  codeOf,
  controlTimer,
  deferred,
  errorOf,
  expectIdle,
  isIdle,
  LINKS,
  outcomeOf,
  useLink,
  usePools,
} from './pool-harness.js';

const GRACE_MS = 50;
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
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  await proxy.close();
  if (server.status !== 'running') await server.restart();
});

describe.each(LINKS)('an outage over the %s link', (link) => {
  useLink(link);

  test('calls wait for a connection, fail by their deadline, and nothing that failed runs later', async () => {
    const commandTimeoutMs = 250;
    const pool = openPool({ url: server.url, commandTimeoutMs, reconnect: FAST_RECONNECT });
    await pool.ready();
    await server.kill();
    await waitUntil(() => pool.status === 'degraded', { what: 'the pool has noticed' });
    const calls = [
      ...Array.from({ length: 500 }, (_, index) => pool.set(`set:${index}`, 'x')),
      pool.get('get'),
      pool.incr('incr'),
      pool.pipeline().set('pipelined', 'x').incr('pipelined:count').exec(),
      pool.multi().set('multi', 'x').exec(),
    ].map(outcomeOf);
    const control = controlTimer(commandTimeoutMs);
    const outcomes = await Promise.all(calls);
    const deadline = await control;
    for (const { error, settledAt } of outcomes) {
      expect(error).toMatchObject({
        code: 'RP_ERR_UNAVAILABLE',
        maybeExecuted: false,
        retryable: true,
        statusCode: 503,
        cause: { code: 'RP_ERR_CONNECT', cause: { code: 'ECONNREFUSED' } },
      });
      expect(settledAt - deadline).toBeLessThan(GRACE_MS);
    }
    expectIdle(pool);
    await server.restart();
    expect(await pool.set('first', 'after recovery')).toBe('OK');
    expect(await server.adminCommand('KEYS', '*')).toEqual(['first']);
    expect(pool.status).toBe('ready');
  });

  test('ten thousand calls to a stopped server all settle by their deadline', async () => {
    const commandTimeoutMs = 400;
    const pool = openPool({ url: server.url, commandTimeoutMs, reconnect: FAST_RECONNECT });
    await pool.ready();
    await server.kill();
    const calls = Array.from({ length: 10_000 }, (_, index) => outcomeOf(pool.set(`key:${index}`, 'x')));
    const control = controlTimer(commandTimeoutMs);
    const outcomes = await Promise.all(calls);
    const deadline = await control;
    expect(outcomes.every(({ error }) => error !== undefined)).toBe(true);
    // What comes on top of law 3 is noise of the machine, as in the same test of deadlines.
    const last = Math.max(...outcomes.map(({ settledAt }) => settledAt));
    expect(last - deadline).toBeLessThan(GRACE_MS + 250);
    await server.restart();
    expect(await pool.set('first', 'x')).toBe('OK');
    expect(await server.adminCommand('KEYS', '*')).toEqual(['first']);
    expectIdle(pool);
  });

  test('a pool whose server was never there behaves the same, and the first call after it came succeeds', async () => {
    await server.kill();
    const pool = openPool({ url: server.url, commandTimeoutMs: 200, reconnect: FAST_RECONNECT });
    const error = await errorOf(pool.set('early', 'x'));
    expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
    expect(error.cause).toMatchObject({ code: 'RP_ERR_CONNECT' });
    expect(pool.status).toBe('connecting');
    await server.restart();
    expect(await pool.set('first', 'x')).toBe('OK');
    expect(await server.adminCommand('KEYS', '*')).toEqual(['first']);
  });

  test('calls whose deadline has not passed run in their order when the server is back', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.ready();
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => pool.status === 'degraded', { what: 'the pool has noticed' });
    const calls = Array.from({ length: 1_000 }, (_, index) => pool.rpush('list', index));
    expect(pool.stats().waitingForConnection).toBe(1_000);
    await proxy.heal();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    const list = await server.adminCommand('LRANGE', 'list', 0, -1);
    expect(list).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
    expectIdle(pool);
  });

  test('calls made by the callbacks of failing calls wait for deadlines of their own', async () => {
    await server.kill();
    const commandTimeoutMs = 100;
    const pool = openPool({ url: server.url, commandTimeoutMs, reconnect: FAST_RECONNECT });
    const second = deferred<number>();
    const startedAt = performance.now();
    const control = (async () => {
      for (let count = 0; count < 3; count += 1) await controlTimer(commandTimeoutMs);
      return performance.now() - startedAt;
    })();
    pool.get('first', () => {
      void pool
        .pipeline()
        .get('in a chain', again)
        .exec()
        .catch(() => {});
    });
    function again(): void {
      pool.get('second', () => second.resolve(performance.now() - startedAt));
    }
    const elapsed = await second.promise;
    expect(elapsed).toBeGreaterThanOrEqual(3 * commandTimeoutMs);
    expect(elapsed - (await control)).toBeLessThan(3 * GRACE_MS);
    expectIdle(pool);
  });

  test.each(['pipeline', 'multi'] as const)(
    'a %s that waited too long is refused whole: its younger half does not run',
    async (make) => {
      await proxy.acceptAndSilence();
      const pool = openPool({ url: proxy.url, commandTimeoutMs: 200, connectTimeoutMs: 5_000 });
      pool.ready({ timeoutMs: 5_000 }).catch(() => {});
      const chain = pool[make]();
      for (let count = 0; count < 200; count += 1) chain.incr(make);
      // As if taking each of them took a millisecond: a long chain on a slow machine.
      const { now } = performance;
      let calls = 0;
      performance.now = () => {
        calls += 1;
        return now.call(performance) + calls;
      };
      const outcome = outcomeOf(chain.exec());
      performance.now = now;
      expect((await outcome).error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: false });
      // The first of them is past its deadline, and perhaps the last is not.
      await proxy.heal();
      await pool.ready();
      await pool.ping();
      await waitUntil(() => isIdle(pool), { what: 'nothing is pending' });
      expect(await server.adminCommand('GET', make)).toBeNull();
    },
  );

  test('calls of a scope that was aborted during an outage stop counting as pending', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, commandTimeoutMs: 150, reconnect: FAST_RECONNECT });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const calls = Array.from({ length: 20 }, (_, index) => outcomeOf(scope.set(`aborted:${index}`, 'x')));
    const reason = new Error('the client hung up');
    controller.abort(reason);
    for (const { error } of await Promise.all(calls)) expect(error).toBe(reason);
    await waitUntil(() => isIdle(pool), { what: 'nothing is pending', timeoutMs: 1_000 });
    await proxy.heal();
    expect(await pool.dbsize()).toBe(0);
  });

  test('a command of a scope that was aborted while it waited is never sent', async () => {
    proxy.refuse();
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const aborted = [
      scope.set('aborted', 'x'),
      scope.multi().set('aborted:multi', 'x').exec(),
      scope.pipeline().set('aborted:pipeline', 'x').exec(),
    ].map(outcomeOf);
    const kept = pool.set('kept', 'x');
    controller.abort(new Error('the client hung up'));
    await Promise.all(aborted);
    await proxy.heal();
    expect(await kept).toBe('OK');
    expect(await pool.keys('*')).toEqual(['kept']);
    expect(await callsAt(server, 'multi')).toBe(0);
    expectIdle(pool);
  });

  test('the server may go and come many times', async () => {
    const pool = openPool({
      url: proxy.url,
      commandTimeoutMs: 2_000,
      reconnect: { minDelayMs: 1, maxDelayMs: 5 },
    });
    let degraded = 0;
    let restored = 0;
    pool.on('degraded', () => {
      degraded += 1;
    });
    pool.on('restored', () => {
      restored += 1;
    });
    await pool.ready();
    for (let round = 1; round <= 20; round += 1) {
      proxy.refuse();
      proxy.reset();
      await waitUntil(() => degraded === round, { what: 'the pool has noticed' });
      const call = pool.incr('rounds');
      await proxy.heal();
      expect(await call).toBe(round);
      expect(restored).toBe(round);
    }
    expect(pool.stats()).toMatchObject({ lostConnections: 20, connectFailures: 0, status: 'ready' });
  });

  test('a short outage tells callers nothing but a delay', async () => {
    const pool = openPool({ url: proxy.url, reconnect: FAST_RECONNECT });
    await pool.set('key', 'value');
    const outcomes: Promise<{ error: unknown }>[] = [];
    for (let round = 0; round < 10; round += 1) {
      proxy.reset();
      // Reads only: one of them may be lost once, and is sent again.
      for (let count = 0; count < 50; count += 1) outcomes.push(outcomeOf(pool.get('key')));
      await outcomes.at(-1);
    }
    const errors = (await Promise.all(outcomes)).map(({ error }) => codeOf(error));
    expect(errors.filter((code) => code !== undefined)).toEqual([]);
  });
});
