import {
  type FaultProxy,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool, RequestRedis } from '../../src/index.js';
import {
  callsAt,
  controlTimer,
  errorOf,
  expectAtRest,
  GRACE_MS,
  leaseClients,
  outcomeOf,
  untilAtRest,
  untilParked,
  untilWaiting,
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
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

type Client = RedisPool | RequestRedis;

/** Ways to call a command that waits for an element of `list`, and what they resolve with. */
const WAYS: readonly [way: string, call: (redis: Client) => Promise<unknown>, reply: unknown][] = [
  ['blpop()', (redis) => redis.blpop('list', 0), ['list', 'x']],
  ['brpop() with a number of seconds as text', (redis) => redis.brpop('list', '0'), ['list', 'x']],
  ['blpopBuffer()', (redis) => redis.blpopBuffer('list', 0), [Buffer.from('list'), Buffer.from('x')]],
  ['call() in capitals', (redis) => redis.call('BLPOP', 'list', '0'), ['list', 'x']],
  ['call() in small letters', (redis) => redis.call('blpop', 'list', 0), ['list', 'x']],
  ['callBuffer()', (redis) => redis.callBuffer('BLPOP', 'list', 0), [Buffer.from('list'), Buffer.from('x')]],
  ['blmove()', (redis) => redis.blmove('list', 'other', 'LEFT', 'RIGHT', 0), 'x'],
  ['brpoplpush()', (redis) => redis.brpoplpush('list', 'other', 0), 'x'],
  ['blmpop()', (redis) => redis.blmpop(0, 1, 'list', 'LEFT'), ['list', ['x']]],
  [
    'a pipeline',
    (redis) => redis.pipeline().blpop('list', 0).exec() as Promise<unknown>,
    [[null, ['list', 'x']]],
  ],
  [
    'a callback',
    (redis) =>
      new Promise((resolve, reject) => {
        redis.blpop('list', 0, (error, reply) => (error ? reject(error) : resolve(reply)));
      }),
    ['list', 'x'],
  ],
];

describe.each<[what: string, clientOf: (pool: RedisPool) => Client]>([
  ['the pool', (pool) => pool],
  ['a scope', (pool) => pool.scope()],
])('blocking commands on %s', (_, clientOf) => {
  test.each(WAYS)('%s waits on a lease while the lane goes on', async (_way, call, reply) => {
    const pool = openPool({ url: server.url });
    const redis = clientOf(pool);
    const parked = call(redis);
    await untilParked(server, 1);
    expect(await redis.get('key')).toBe(null);
    expect(pool.stats().leases).toMatchObject({ leased: 1, blocking: 1 });
    const [lease] = await leaseClients(server, pool);
    expect(lease?.flags).toContain('b');
    await redis.rpush('list', 'x');
    expect(await parked).toEqual(reply);
    expectAtRest(pool);
  });

  test('of sorted sets and streams wait on leases too, XREAD without BLOCK on the lane', async () => {
    const pool = openPool({ url: server.url });
    const redis = clientOf(pool);
    await redis.xgroup('CREATE', 'stream', 'group', '$', 'MKSTREAM');
    const parked = [
      redis.bzpopmin('zset', 0),
      redis.bzmpop(0, 1, 'other', 'MAX'),
      redis.xread('COUNT', 1, 'BLOCK', 0, 'STREAMS', 'stream', '$'),
      redis.xreadgroup('GROUP', 'group', 'consumer', 'BLOCK', 0, 'STREAMS', 'stream', '>'),
    ];
    await untilParked(server, 4);
    expect(await redis.xread('COUNT', 1, 'STREAMS', 'stream', '0')).toBe(null);
    expect(pool.stats().leases.blocking).toBe(4);
    await redis.zadd('zset', 1, 'a');
    await redis.zadd('other', 2, 'b');
    const id = await redis.xadd('stream', '*', 'field', 'value');
    const entry = [['stream', [[id, ['field', 'value']]]]];
    expect(await Promise.all(parked)).toEqual([['zset', 'a', '1'], ['other', [['b', '2']]], entry, entry]);
    expectAtRest(pool);
  });
});

describe('a blocking command', () => {
  test('holds its lease no longer than itself: called again and again it keeps to one connection', async () => {
    const pool = openPool({ url: server.url });
    await pool.rpush('list', ...Array.from({ length: 50 }, (_, index) => `${index}`));
    const ids = new Set<number>();
    for (let index = 0; index < 50; index += 1) {
      expect(await pool.blpop('list', 1)).toEqual(['list', `${index}`]);
      expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 1 });
      for (const { id } of await leaseClients(server, pool)) ids.add(id);
    }
    expect(ids.size).toBe(1);
  });

  test('ends with null when its own time is over, and the connection is used again', async () => {
    const pool = openPool({ url: server.url });
    const begunAt = performance.now();
    expect(await pool.blpop('list', 0.1)).toBe(null);
    expect(await pool.xread('BLOCK', 50, 'STREAMS', 'stream', '$')).toBe(null);
    expect(await pool.blmove('list', 'other', 'LEFT', 'LEFT', 0.01)).toBe(null);
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(150);
    expect(await leaseClients(server, pool)).toHaveLength(1);
    expect(pool.stats().errors).toEqual({});
  });

  test('with timeout 0 outlives commandTimeoutMs by far', async () => {
    const pool = openPool({ url: server.url, commandTimeoutMs: 20 });
    await pool.ready();
    const parked = [
      pool.blpop('list', 0),
      pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$'),
      pool.pipeline().blpop('chained', 0).exec(),
      pool.lease((lease) => lease.blpop('leased', 0)),
      pool.lease((lease) => lease.pipeline().blpop('both', 0).exec()),
    ];
    await untilParked(server, 5);
    await controlTimer(200);
    expect(pool.stats().leases.blocking).toBe(5);
    for (const list of ['list', 'chained', 'leased', 'both']) await pool.rpush(list, 'x');
    await pool.xadd('stream', '1-1', 'a', 'b');
    expect(await Promise.all(parked)).toEqual([
      ['list', 'x'],
      [['stream', [['1-1', ['a', 'b']]]]],
      [[null, ['chained', 'x']]],
      ['leased', 'x'],
      [[null, ['both', 'x']]],
    ]);
  });

  // Regression: the limit did not fit into a timer, which fired at once.
  test('with a timeout of more than 24 days waits', async () => {
    const pool = openPool({ url: server.url });
    const parked = [
      pool.blpop('list', 3_000_000),
      pool.xread('BLOCK', 3_000_000_000, 'STREAMS', 'stream', '$'),
      pool.pipeline().blpop('chained', 3_000_000).exec(),
    ];
    await untilParked(server, 3);
    await pool.rpush('list', 'x');
    await pool.rpush('chained', 'x');
    await pool.xadd('stream', '1-1', 'a', 'b');
    expect((await Promise.all(parked)).every((reply) => reply !== null)).toBe(true);
  });

  test('that the server refuses passes the refusal on, and keeps the connection', async () => {
    const pool = openPool({ url: server.url });
    await pool.set('text', 'x');
    expect((await errorOf(pool.blpop('text', 0))).message).toContain('WRONGTYPE');
    expect((await errorOf(pool.blpop('list', 'soon'))).message).toContain('timeout is not a float');
    expect((await errorOf(pool.call('BLPOP'))).message).toContain('wrong number of arguments');
    const chain = await pool.pipeline().blpop('text', 0).get('text').exec();
    expect(chain?.[0]?.[0]?.message).toContain('WRONGTYPE');
    expect(chain?.[1]).toEqual([null, 'x']);
    expect(pool.stats().leases).toMatchObject({ leased: 0, idle: 1 });
  });

  test('with a key prefix waits for the prefixed key', async () => {
    const pool = openPool({ url: server.url, redis: { keyPrefix: 'app:' } });
    const parked = [
      pool.blpop('list', 0),
      pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$'),
      pool.pipeline().blmove('from', 'to', 'LEFT', 'LEFT', 0).exec(),
      pool.lease((lease) => lease.blmpop(0, 1, 'more', 'LEFT')),
      pool.call('BLPOP', 'called', 0),
    ];
    await untilParked(server, 5);
    for (const list of ['list', 'from', 'more', 'called'])
      await server.adminCommand('RPUSH', `app:${list}`, 'x');
    await server.adminCommand('XADD', 'app:stream', '1-1', 'a', 'b');
    expect(await Promise.all(parked)).toEqual([
      ['app:list', 'x'],
      [['app:stream', [['1-1', ['a', 'b']]]]],
      [[null, 'x']],
      ['app:more', ['x']],
      ['app:called', 'x'],
    ]);
    expect(await server.adminCommand('LRANGE', 'app:to', 0, -1)).toEqual(['x']);
  });

  test('with RESP2 and with RESP3 replies waits alike', async () => {
    for (const redis of [{ protocol: 2 }, { protocol: 3, replyMapping: 'resp3' }] as const) {
      const pool = openPool({ url: server.url, redis });
      const parked = pool.blpop('list', 0);
      const controller = new AbortController();
      const aborted = errorOf(pool.scope({ signal: controller.signal }).bzpopmin('zset', 0));
      await untilParked(server, 2);
      controller.abort(new Error('enough'));
      expect((await aborted).message).toBe('enough');
      await pool.rpush('list', 'x');
      expect(await parked).toEqual(['list', 'x']);
      pool.destroy();
    }
  });
});

describe('the end of a blocking command', () => {
  test('by the signal of its scope: the wait ends at the server, the connection stays', async () => {
    const pool = openPool({ url: server.url });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const parked = [
      scope.blpop('list', 0),
      scope.xread('BLOCK', 0, 'STREAMS', 's', '$'),
      scope.bzpopmax('z', 0),
    ];
    const ended = parked.map((call) => errorOf(call));
    await untilParked(server, 3);
    const ids = (await leaseClients(server, pool)).map(({ id }) => id);
    const reason = new Error('the client hung up');
    controller.abort(reason);
    for (const error of await Promise.all(ended)) expect(error).toBe(reason);
    await untilAtRest(pool);
    expect((await leaseClients(server, pool)).map(({ id }) => id)).toEqual(ids);
    await untilParked(server, 0);
    expect(await pool.blpop('list', 0.01)).toBe(null);
  });

  test('by its signal hands over a value that came all the same', async () => {
    const pool = openPool({ url: proxy.url });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const parked = scope.blpop('list', 0);
    await untilParked(server, 1);
    // The element is on its way to the client when the signal comes.
    proxy.delay({ ms: 80, direction: 'toClient' });
    await server.adminCommand('RPUSH', 'list', 'x');
    controller.abort(new Error('too late'));
    expect(await parked).toEqual(['list', 'x']);
    await untilAtRest(pool);
  });

  test('by a signal that fires before it was sent: nothing is sent', async () => {
    const pool = openPool({ url: server.url });
    await pool.lease(() => 1);
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const reason = new Error('before');
    const inTheSameTurn = errorOf(scope.blpop('list', 0));
    controller.abort(reason);
    expect(await inTheSameTurn).toBe(reason);
    expect(await errorOf(scope.blpop('list', 0))).toBe(reason);
    expect(await errorOf(scope.pipeline().blpop('list', 0).exec())).toBe(reason);
    await untilAtRest(pool);
    await untilParked(server, 0);
    expect((await callsAt(server)).get('blpop') ?? 0).toBeLessThanOrEqual(1);
  });

  test('by the deadline of its scope', async () => {
    const pool = openPool({ url: server.url });
    await pool.ready();
    const scope = pool.scope({ timeoutMs: 100, label: 'GET /jobs' });
    const parked = outcomeOf(scope.blpop('list', 0));
    const control = controlTimer(100);
    const { error, settledAt } = await parked;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect((error as Error).message).toContain('GET /jobs');
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('an UNBLOCK that is still under way never ends the wait of the next holder', async () => {
    const pool = openPool({ url: proxy.url, maxConnections: 2 });
    const controller = new AbortController();
    const first = errorOf(pool.scope({ signal: controller.signal }).blpop('first', 0));
    await untilParked(server, 1);
    const next = pool.blpop('next', 0);
    await untilWaiting(pool, 1);
    // Its answer comes before that of the UNBLOCK, which may be asked several times over a slow line.
    proxy.delay({ ms: 3, jitterMs: 20 });
    controller.abort(new Error('enough'));
    expect((await first).message).toBe('enough');
    await untilParked(server, 1);
    await proxy.heal();
    await controlTimer(150);
    await pool.rpush('next', 'x');
    expect(await next).toEqual(['next', 'x']);
  });

  test('an UNBLOCK that is overtaken by an element does not end the wait of the next holder', async () => {
    const pool = openPool({ url: proxy.url, maxConnections: 2 });
    const controller = new AbortController();
    const first = pool.scope({ signal: controller.signal }).blpop('first', 0);
    await untilParked(server, 1);
    const next = pool.blpop('next', 0);
    await untilWaiting(pool, 1);
    await server.adminCommand('CONFIG', 'RESETSTAT');
    // What is sent now arrives late; what is sent afterwards, on another connection, arrives before it.
    proxy.delay({ ms: 150, direction: 'toServer' });
    controller.abort(new Error('enough'));
    await controlTimer(30);
    proxy.delay({ ms: 1, direction: 'toServer' });
    await server.adminCommand('RPUSH', 'first', 'x');
    expect(await first).toEqual(['first', 'x']);
    await waitUntil(async () => ((await callsAt(server)).get('client|unblock') ?? 0) > 0, {
      what: 'it arrived',
    });
    await untilParked(server, 1);
    await server.adminCommand('RPUSH', 'next', 'y');
    expect(await next).toEqual(['next', 'y']);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test('inside a held lease: the wait ends by the signal of its scope, the lease stays with its holder', async () => {
    const pool = openPool({ url: server.url });
    const controller = new AbortController();
    const scope = pool.scope({ signal: controller.signal });
    const reason = new Error('the client hung up');
    const done = await scope.lease(async (lease) => {
      const id = await lease.client('ID');
      const parked = errorOf(lease.blpop('list', 0));
      const chained = lease.pipeline().blpop('list', 0).set('after', 'x').exec();
      await untilParked(server, 1);
      controller.abort(reason);
      expect(await parked).toBe(reason);
      // A wait in a pipeline ends as if its time was over.
      expect(await chained).toEqual([
        [null, null],
        [null, 'OK'],
      ]);
      expect(await errorOf(lease.blpop('list', 0))).toBe(reason);
      expect(await lease.get('after')).toBe('x');
      expect(await lease.client('ID')).toBe(id);
      expect(lease.released).toBe(false);
      return 'finished';
    });
    expect(done).toBe('finished');
    expect(await errorOf(scope.get('key'))).toBe(reason);
    expectAtRest(pool);
    expect(pool.stats().leases.idle).toBe(1);
  });

  test.each<[what: string, call: (pool: RedisPool) => Promise<unknown>, ownMs: number]>([
    ['on the pool', (pool) => pool.blpop('list', 0.2), 200],
    ['on a stream', (pool) => pool.xread('BLOCK', 100, 'STREAMS', 's', '$'), 100],
    ['on a lease', (pool) => pool.lease((lease) => lease.blpop('list', 0.2)), 200],
    ['in a pipeline', (pool) => pool.pipeline().blpop('a', 0.1).blpop('b', 0.1).exec(), 200],
    [
      'in a pipeline on a lease',
      (pool) => pool.lease((l) => l.pipeline().blpop('a', 0.1).blpop('b', 0.1).exec()),
      200,
    ],
  ])('by a server that froze, %s, comes at its own timeout and commandTimeoutMs', async (_, call, ownMs) => {
    const commandTimeoutMs = 200;
    const pool = openPool({ url: server.url, commandTimeoutMs });
    await pool.lease((lease) => lease.ping());
    server.freeze();
    const running = outcomeOf(call(pool));
    const control = controlTimer(ownMs + commandTimeoutMs);
    const { error, settledAt } = await running;
    const deadline = await control;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
    expect(settledAt - deadline).toBeLessThan(GRACE_MS);
    // And not before the server had its time.
    expect(deadline - settledAt).toBeLessThan(GRACE_MS);
    expect(pool.stats().errors.RP_ERR_COMMAND_TIMEOUT).toBe(1);
    server.thaw();
    await waitUntil(async () => (await leaseClients(server, pool)).length === 0, {
      what: 'the connection is closed',
    });
  });

  test('an abort while the server is frozen ends within about a second, and closes the connection', async () => {
    const pool = openPool({ url: server.url });
    const controller = new AbortController();
    const parked = outcomeOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    await untilParked(server, 1);
    server.freeze();
    const reason = new Error('enough');
    const control = controlTimer(1_000);
    controller.abort(reason);
    const { error, settledAt } = await parked;
    expect(error).toBe(reason);
    expect(settledAt - (await control)).toBeLessThan(GRACE_MS);
    server.thaw();
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(0);
  });

  test('by the loss of its connection: RP_ERR_CONNECTION_LOST, and it may have been executed', async () => {
    const pool = openPool({ url: proxy.url, reconnect: { minDelayMs: 1, maxDelayMs: 5 } });
    const parked = [
      pool.blpop('list', 0),
      pool.pipeline().blpop('list', 0).exec(),
      pool.lease((lease) => lease.blpop('list', 0)),
    ].map((call) => errorOf(call as Promise<unknown>));
    await untilParked(server, 3);
    proxy.reset();
    for (const error of await Promise.all(parked)) {
      expect(error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true, retryable: false });
      expect(error.message).toContain('BLPOP');
    }
    await untilAtRest(pool);
    expect(pool.stats().leases.idle).toBe(0);
  });

  test('the latency of others, pending counters and errors are not touched by a wait', async () => {
    const pool = openPool({ url: server.url });
    const parked = pool.blpop('list', 0);
    await untilParked(server, 1);
    expect(pool.stats()).toMatchObject({ pending: { commands: 0, bytes: 0 }, errors: {} });
    await pool.rpush('list', 'x');
    await parked;
  });
});
