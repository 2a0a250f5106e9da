import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { deferred, errorOf, isIdle, outcomeOf, usePools } from '../fault/pool-harness.js';
import { untilParked, untilWaiting } from '../lease/lease-harness.js';
import { subscribersOf, untilSubscribed } from './scope-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool, joinPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));

/** A scope with one parked command and one subscription. */
async function waitingScope(options = {}) {
  const pool = openPool({ url: server.url });
  const scope = pool.scope({ label: 'GET /things', ...options });
  const parked = outcomeOf(scope.blpop('queue', 0));
  const subscription = await scope.subscribe('news');
  await untilParked(server, 1);
  return { pool, scope, parked, subscription };
}

describe('end()', () => {
  test('ends what waits, now and from now on, and leaves the rest', async () => {
    const { pool, scope, parked, subscription } = await waitingScope();
    scope.end();
    const { error } = await parked;
    expect(error).toMatchObject({
      name: 'AbortError',
      message: 'The client of GET /things has its response',
    });
    expect(subscription.ended).toBe(true);
    await untilSubscribed(server, 'news', 0);
    expect(await errorOf(scope.blpop('queue', 0))).toBe(error);
    expect(await errorOf(scope.pipeline().blpop('queue', 0).exec())).toBe(error);
    expect(await errorOf(scope.subscribe('news'))).toBe(error);
    expect(await errorOf(scope.lease((lease) => lease.blpop('queue', 0)))).toBe(error);
    expect(await scope.set('key', 'value')).toBe('OK');
    expect(await scope.lease((lease) => lease.get('key'))).toBe('value');
    // Nothing was lost with it.
    await pool.rpush('queue', 'element');
    expect(await pool.blpop('queue', 1)).toEqual(['queue', 'element']);
  });

  test('of one scope is nothing to the others, nor to the pool', async () => {
    const { pool, scope, parked } = await waitingScope();
    const other = pool.scope();
    const parkedInOther = outcomeOf(other.blpop('queue', 0));
    const parkedInPool = outcomeOf(pool.blpop('queue', 0));
    await untilParked(server, 3);
    scope.end();
    await parked;
    await pool.rpush('queue', 'one', 'two');
    expect((await parkedInOther).value).toEqual(['queue', 'one']);
    expect((await parkedInPool).value).toEqual(['queue', 'two']);
  });

  test('is idempotent: a second one changes no reason and counts no hang-up', async () => {
    const { pool, scope, parked } = await waitingScope();
    scope.end();
    scope.end({ hungUp: true });
    expect((await parked).error).toMatchObject({ message: 'The client of GET /things has its response' });
    expect(await errorOf(scope.blpop('queue', 0))).toBe((await parked).error);
    expect(pool.stats().hangUps).toBe(0);
  });

  test('a hang-up counts once, and is told', async () => {
    const { pool, scope, parked } = await waitingScope();
    scope.end({ hungUp: true });
    scope.end({ hungUp: true });
    expect((await parked).error).toMatchObject({ message: 'The client of GET /things hung up' });
    expect(pool.stats().hangUps).toBe(1);
  });

  test('a hang-up with abort after an ordinary end still cuts the rest', async () => {
    const pool = openPool({ url: server.url });
    const scope = pool.scope({ onHangUp: 'abort' });
    scope.end();
    expect(await scope.ping()).toBe('PONG');
    scope.end({ hungUp: true });
    expect(await errorOf(scope.ping())).toMatchObject({ name: 'AbortError' });
    scope.end();
    expect(await errorOf(scope.ping())).toMatchObject({ name: 'AbortError' });
  });

  test('`using` ends the scope with its block', async () => {
    const { scope, parked } = await waitingScope();
    scope[Symbol.dispose]();
    expect((await parked).error).toMatchObject({ name: 'AbortError' });
    expect(await scope.ping()).toBe('PONG');
  });
});

describe('endWaits()', () => {
  test('cuts what waits with the reason that it is given, counts no hang-up, and takes no lease', async () => {
    const { pool, scope, parked, subscription } = await waitingScope({ forgottenLeaseMs: 20 });
    const lease = await scope.acquire();
    const reason = new Error('shutting down');
    scope.endWaits(reason);
    scope.endWaits(new Error('another reason'));
    expect((await parked).error).toBe(reason);
    expect(await errorOf(scope.blpop('queue', 0))).toBe(reason);
    expect(subscription.ended).toBe(true);
    expect(await scope.ping()).toBe('PONG');
    // The request is still at work: one that has ended has lost its lease by then.
    const ended = pool.scope({ forgottenLeaseMs: 20 });
    await ended.acquire();
    ended.end();
    await waitUntil(() => pool.stats().forgottenLeases === 1, {
      what: 'the lease of the ended scope is back',
    });
    expect(lease.released).toBe(false);
    expect(pool.stats().hangUps).toBe(0);
    // The end of the scope comes after all of that.
    scope.end();
    await waitUntil(() => lease.released, { what: 'the lease is back' });
  });

  test('has a reason of its own when it is given none', async () => {
    const { scope, parked } = await waitingScope();
    scope.endWaits();
    expect((await parked).error).toMatchObject({
      name: 'AbortError',
      message: 'GET /things waits no longer',
    });
  });

  test('cuts what is parked on a lease, and leaves the lease', async () => {
    const pool = openPool({ url: server.url });
    const scope = pool.scope();
    const result = scope.lease(async (lease) => [await errorOf(lease.blpop('queue', 0)), await lease.ping()]);
    await untilParked(server, 1);
    const reason = new Error('shutting down');
    scope.endWaits(reason);
    expect(await result).toEqual([reason, 'PONG']);
  });
});

describe('disconnect() and quit()', () => {
  test.each(['disconnect', 'quit'] as const)('%s closes the scope and nothing else', async (close) => {
    const { pool, scope, parked } = await waitingScope();
    const running = outcomeOf(scope.set('key', 'value'));
    const result = await scope[close]();
    expect(result).toBe(close === 'quit' ? 'OK' : undefined);
    expect((await parked).error).toMatchObject({ name: 'AbortError' });
    expect(await running).toMatchObject({ value: 'OK' });
    for (const refused of [
      scope.get('key'),
      scope.acquire(),
      scope.blpop('queue', 0),
      scope.subscribe('news'),
    ]) {
      const error = await errorOf(refused);
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
      expect(error.message).toContain('was closed through this scope');
    }
    expect(await pool.get('key')).toBe('value');
    expect(await pool.scope().get('key')).toBe('value');
  });

  test('the pool tells first that it is closed', async () => {
    const pool = openPool({ name: 'tells-first', url: server.url });
    joinPool('tells-first');
    const scope = pool.scope();
    scope.disconnect();
    await pool.close();
    expect((await errorOf(scope.ping())).message).toContain('was closed through this handle');
  });
});

describe('usage()', () => {
  test('counts commands of every kind, those of chains one by one, and leases', async () => {
    const pool = openPool({ url: server.url });
    const scope = pool.scope();
    expect(scope.usage()).toEqual({ commands: 0, leases: 0, waitedMs: 0 });
    await scope.set('key', 'value');
    await scope.pipeline().get('key').get('key').exec();
    await scope.rpush('queue', 'element');
    await scope.blpop('queue', 0);
    await scope.rpush('queue', 'one', 'two');
    await scope.pipeline().blpop('queue', 0).ping().exec();
    await scope.lease((lease) => Promise.all([lease.ping(), lease.blpop('queue', 0)]));
    await (await scope.acquire()).release();
    expect(scope.usage()).toEqual({ commands: 8, leases: 2, waitedMs: 0 });
    scope.end();
    await errorOf(scope.blpop('queue', 0));
    expect(scope.usage().commands).toBe(8);
  });

  test('tells no time unless it is measured, also while something is unanswered', async () => {
    const { scope } = await waitingScope();
    expect(scope.usage()).toEqual({ commands: 1, leases: 0, waitedMs: 0 });
    scope.end();
  });

  test('measures the time in which something was unanswered, overlapping commands once', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const scope = pool.scope({ timed: true });
    const gate = deferred();
    const startedAt = performance.now();
    const parked = [scope.blpop('queue', 0), scope.blpop('queue', 0)];
    await untilParked(server, 2);
    // While it waits the time runs.
    const before = scope.usage().waitedMs;
    await waitUntil(() => scope.usage().waitedMs > before + 20, { what: '20 ms have passed' });
    await pool.rpush('queue', 'one', 'two');
    await Promise.all(parked);
    const elapsed = performance.now() - startedAt;
    const { waitedMs } = scope.usage();
    expect(waitedMs).toBeGreaterThan(20);
    expect(waitedMs).toBeLessThanOrEqual(elapsed);
    setTimeout(gate.resolve, 20);
    await gate.promise;
    // Nothing was unanswered meanwhile.
    expect(scope.usage().waitedMs).toBe(waitedMs);
    await scope.ping();
    expect(scope.usage().waitedMs).toBeGreaterThan(waitedMs);
    expect(isIdle(pool)).toBe(true);
  });
});

test('a caller of a scope may give up its own wait for a lease, and nothing else', async () => {
  const pool = openPool({ url: server.url, maxConnections: 2 });
  const scope = pool.scope();
  const lease = await scope.acquire();
  const controller = new AbortController();
  const [given, kept] = [outcomeOf(scope.acquire({ signal: controller.signal })), scope.acquire()];
  await untilWaiting(pool, 2);
  const reason = new Error('waited for long enough');
  controller.abort(reason);
  expect((await given).error).toBe(reason);
  expect(await errorOf(scope.acquire({ signal: controller.signal }))).toBe(reason);
  expect(pool.stats().leases.waiting).toBe(1);
  await lease.release();
  await (await kept).release();
});

test('the label may be a function, which is asked when somebody wants to know', () => {
  const pool = openPool({ url: server.url });
  let asked = 0;
  const scope = pool.scope({ label: () => `asked ${++asked} times` });
  expect(asked).toBe(0);
  expect(scope.label).toBe('asked 1 times');
  expect(pool.scope().label).toBe('a scope');
});

test('a subscription of a scope that has ended before the server confirmed is none', async () => {
  const pool = openPool({ url: server.url });
  await pool.ready();
  const scope = pool.scope();
  const subscribing = outcomeOf(scope.subscribe('news'));
  scope.end();
  expect((await subscribing).error).toMatchObject({ name: 'AbortError' });
  await waitUntil(async () => (await subscribersOf(server, 'news')) === 0, { what: 'nobody is subscribed' });
});
