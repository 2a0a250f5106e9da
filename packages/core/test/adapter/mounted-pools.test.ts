import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  abandonPool,
  MountedPools,
  openPool,
  type PoolSource,
  startPool,
  type WebPoolOptions,
} from '../../src/adapter/index.js';
import { createRedisPool, getRedisPool, type RequestRedis } from '../../src/index.js';
import { errorOf, outcomeOf } from '../fault/pool-harness.js';
import { untilParked } from '../lease/lease-harness.js';
import { TestExchange } from './test-exchange.js';

let server: RedisServer;
let sources: PoolSource[] = [];

useLeakCheck(() => [server]);

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('FLUSHALL'));
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
  for (const { pool } of sources) pool.destroy();
  sources = [];
});

function open(options: WebPoolOptions<never>): PoolSource {
  const source = openPool(options, undefined);
  sources.push(source);
  return source;
}

function mount(...pools: WebPoolOptions<never>[]): MountedPools {
  const mounted = new MountedPools();
  for (const options of pools) mounted.add(open({ url: server.url, ...options } as WebPoolOptions<never>));
  return mounted;
}

/** `req.redis` of one request. */
function enter(mounted: MountedPools, exchange = new TestExchange()) {
  const pools = mounted.enter(exchange);
  const redis = pools.redis as RequestRedis & Readonly<Record<string, RequestRedis>>;
  return { redis, pools, response: exchange.response, exchange };
}

describe('requests', () => {
  test('hold the close up until their responses have closed', async () => {
    const mounted = mount({});
    const [one, two] = [enter(mounted), enter(mounted)];
    let isClosed = false;
    const closing = mounted.close().then((report) => {
      isClosed = true;
      return report;
    });
    one.response.finish();
    await new Promise(setImmediate);
    expect(await two.redis.set('key', 'value')).toBe('OK');
    expect(isClosed).toBe(false);
    two.response.hangUp();
    expect(await closing).toMatchObject({ drained: true, cutCommands: 0, cutLeases: 0 });
    expect(await errorOf(two.redis.ping())).toMatchObject({ code: 'RP_ERR_CLOSED' });
  });

  test('that finished, hung up, or began after their response are told apart', async () => {
    const mounted = mount({});
    const [finished, hungUp] = [enter(mounted), enter(mounted)];
    finished.response.finish();
    expect(mounted.main?.stats().hangUps).toBe(0);
    expect((await errorOf(finished.redis.blpop('queue', 0))).message).toBe(
      'The client of GET /test has its response',
    );
    hungUp.response.hangUp();
    expect(mounted.main?.stats().hangUps).toBe(1);
    expect((await errorOf(hungUp.redis.blpop('queue', 0))).message).toBe('The client of GET /test hung up');
    const late = new TestExchange();
    late.response.finish();
    expect((await errorOf(enter(mounted, late).redis.blpop('queue', 0))).message).toBe(
      'The client of GET /test has its response',
    );
    const gone = new TestExchange();
    gone.response.hangUp();
    expect((await errorOf(enter(mounted, gone).redis.blpop('queue', 0))).message).toBe(
      'The client of GET /test hung up',
    );
    expect(mounted.main?.stats().hangUps).toBe(2);
    // None of them is waited for.
    expect(await mounted.close()).toMatchObject({ drained: true });
  });

  test('that began after their response ended, but before it closed, are not waited for', async () => {
    const mounted = mount({});
    const exchange = new TestExchange();
    exchange.response.writableEnded = true;
    enter(mounted, exchange);
    expect(exchange.response.listenerCount('close')).toBe(0);
    expect(await mounted.close()).toMatchObject({ drained: true });
  });

  test('have a scope of each pool that they touch, and each of them ends with the response', async () => {
    const mounted = mount({}, { namespace: 'cache' }, { namespace: 'queue' });
    const { redis, response, pools } = enter(mounted);
    const { cache } = redis;
    expect(redis.cache).toBe(cache);
    const parked = [outcomeOf(redis.blpop('queue', 0)), outcomeOf((cache as RequestRedis).blpop('queue', 0))];
    await untilParked(server, 2);
    response.hangUp();
    for (const { error } of await Promise.all(parked)) expect(error).toMatchObject({ name: 'AbortError' });
    // One that is touched first after the end has ended too.
    const { queue } = redis;
    expect(await errorOf((queue as RequestRedis).blpop('queue', 0))).toMatchObject({ name: 'AbortError' });
    expect(Object.keys(redis)).toEqual(expect.arrayContaining(['cache', 'queue']));
    expect(pools.serverTiming()).toBe(undefined);
    expect(mounted.isTimed).toBe(false);
    const timed = mount({ name: 'timed', serverTiming: true }, { name: 'timed-cache', namespace: 'cache' });
    expect(timed.isTimed).toBe(true);
    await mounted.close();
  });

  test('without a main pool have nothing but the namespaces', async () => {
    const mounted = mount({ namespace: 'cache' });
    const { redis } = enter(mounted);
    expect(Object.getPrototypeOf(redis)).toBe(null);
    expect(Object.keys(redis)).toEqual(['cache']);
    expect(mounted.main).toBe(undefined);
    expect([...mounted.namespaces]).toEqual(['cache']);
  });

  test('carry the options of their pool into their scope', async () => {
    const asked: unknown[] = [];
    const controller = new AbortController();
    const requestSignal = (request: unknown): AbortSignal => {
      asked.push(request);
      return controller.signal;
    };
    const mounted = mount({ requestSignal, requestTimeoutMs: 60_000, onHangUp: 'abort', serverTiming: true });
    const { redis, response, exchange, pools } = enter(mounted);
    expect(asked).toEqual([exchange.request]);
    expect(redis.label).toBe('GET /test');
    await redis.ping();
    expect(pools.serverTiming()).toMatch(/^redis;dur=\d+\.\d\d;desc="1 command, 0 leases"$/);
    expect(redis.usage().waitedMs).toBeGreaterThan(0);
    response.hangUp();
    expect(await errorOf(redis.ping())).toMatchObject({ name: 'AbortError' });
    const { redis: other } = enter(mounted);
    controller.abort(new Error('of the framework'));
    expect((await errorOf(other.ping())).message).toBe('of the framework');
    const short = mount({ name: 'short', requestTimeoutMs: 1 });
    const { redis: late } = enter(short);
    await waitUntil(() => outcomeOf(late.ping()).then(({ error }) => error !== undefined), {
      what: 'time is over',
    });
    await Promise.all([mounted.close(1), short.close(1)]);
  });
});

describe('endWaits()', () => {
  test('ends the waits of requests and of the own handles, also of requests to come', async () => {
    const mounted = mount({}, { namespace: 'cache' });
    const { redis, response } = enter(mounted);
    const parked = [redis, redis.cache as RequestRedis, mounted.main as NonNullable<typeof mounted.main>].map(
      (client) => outcomeOf(client.blpop('queue', 0)),
    );
    await untilParked(server, 3);
    mounted.endWaits();
    mounted.endWaits();
    for (const { error } of await Promise.all(parked))
      expect(error).toMatchObject({ code: 'RP_ERR_CLOSING' });
    const later = enter(mounted);
    expect(await errorOf(later.redis.blpop('queue', 0))).toMatchObject({ code: 'RP_ERR_CLOSING' });
    expect(await errorOf((later.redis.cache as RequestRedis).subscribe('news'))).toMatchObject({
      code: 'RP_ERR_CLOSING',
    });
    expect(await later.redis.ping()).toBe('PONG');
    response.finish();
    later.response.finish();
    expect(await mounted.close()).toMatchObject({ drained: true });
  });

  test('of a handle that is not its own ends the waits of its requests only', async () => {
    const client = createRedisPool({ url: server.url, name: 'of-the-application' });
    const mounted = new MountedPools();
    mounted.add(open({ client }));
    mounted.add(open({ client, namespace: 'cache' }));
    const { redis, response } = enter(mounted);
    const [ofRequest, ofApplication] = [
      outcomeOf(redis.blpop('queue', 0)),
      outcomeOf(client.blpop('queue', 0)),
    ];
    await untilParked(server, 2);
    mounted.endWaits();
    const { error } = await ofRequest;
    expect(error).toMatchObject({ code: 'RP_ERR_CLOSING', message: 'The application is closing' });
    const late = enter(mounted);
    expect(await errorOf(late.redis.blpop('queue', 0))).toMatchObject({
      message: 'The application is closing',
    });
    response.finish();
    late.response.finish();
    expect(await mounted.close()).toMatchObject({
      durationMs: 0,
      drained: true,
      cutCommands: 0,
      cutLeases: 0,
    });
    await client.rpush('queue', 'element');
    expect((await ofApplication).value).toEqual(['queue', 'element']);
    expect(client.status).toBe('ready');
  });
});

describe('the time to close', () => {
  test('keeps no process alive by itself', () => {
    // The leak check around the test finds a timer that does.
    mount({}).endWaits();
  });

  test('runs from endWaits(): near its end the pools close whoever still waits for them', async () => {
    const mounted = mount({ closeTimeoutMs: 300, commandTimeoutMs: 20_000 });
    const { redis, response } = enter(mounted);
    await redis.ping();
    server.freeze();
    const command = outcomeOf(redis.get('key'));
    const startedAt = performance.now();
    mounted.endWaits();
    expect((await command).error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    const elapsedMs = performance.now() - startedAt;
    expect(elapsedMs).toBeGreaterThan(230);
    expect(elapsedMs).toBeLessThan(1_500);
    response.finish();
    expect(await mounted.close()).toMatchObject({ drained: false, cutCommands: 1 });
  });

  test('of each pool is its own, unless one is given', async () => {
    const mounted = mount({ closeTimeoutMs: 100 }, { namespace: 'slow', closeTimeoutMs: 60_000 });
    const { redis, response } = enter(mounted);
    await Promise.all([redis.ping(), (redis.slow as RequestRedis).ping()]);
    mounted.endWaits();
    await waitUntil(() => mounted.main?.status === 'closed', { what: 'the first one is closed' });
    expect(await (redis.slow as RequestRedis).ping()).toBe('PONG');
    response.finish();
    expect(await mounted.close()).toMatchObject({ drained: true });
    const given = mount({ closeTimeoutMs: 60_000 }, { namespace: 'slow', closeTimeoutMs: 60_000 });
    const request = enter(given);
    const slow = request.redis.slow as RequestRedis;
    given.endWaits(100);
    for (const client of [request.redis, slow]) {
      await waitUntil(async () => (await outcomeOf(client.ping())).error !== undefined, {
        what: 'it is closed',
      });
    }
    await given.close();
  });

  test('given to close() runs from there', async () => {
    const mounted = mount({ closeTimeoutMs: 60_000 });
    enter(mounted);
    const startedAt = performance.now();
    mounted.endWaits();
    await mounted.close(100);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    const longer = mount({ closeTimeoutMs: 50 });
    const { redis, response } = enter(longer);
    longer.endWaits();
    const closing = longer.close(60_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await redis.ping()).toBe('PONG');
    response.finish();
    expect(await closing).toMatchObject({ drained: true });
  });

  test('close() is one close however often it is called', async () => {
    const mounted = mount({});
    const closing = mounted.close();
    expect(mounted.close(5)).toBe(closing);
    await closing;
    expect(mounted.close()).toBe(closing);
    expect(() => getRedisPool()).toThrow('No Redis pool "default"');
  });

  test('the report sums up those of all pools', async () => {
    const mounted = mount(
      { closeTimeoutMs: 100, commandTimeoutMs: 20_000 },
      { namespace: 'cache', closeTimeoutMs: 100 },
    );
    const pools = [mounted.main, getRedisPool('cache')] as const;
    await Promise.all(pools.map((pool) => pool?.ready()));
    const lease = await pools[0]?.acquire();
    server.freeze();
    const cut = pools.map((pool) => outcomeOf(pool?.get('key') as Promise<unknown>));
    pools[1].destroy();
    const report = await mounted.close();
    expect(report).toMatchObject({ drained: false, cutCommands: 2, cutLeases: 1 });
    expect(report.cut.commands).toEqual({ GET: 2 });
    expect(report.cut.leases).toHaveLength(1);
    expect(report.durationMs).toBeGreaterThan(50);
    for (const { error } of await Promise.all(cut)) expect(error).toMatchObject({ code: 'RP_ERR_CLOSED' });
    await lease?.release();
  });
});

describe('names', () => {
  test('are free, taken, or members', () => {
    const mounted = mount(
      { scripts: { greet: { lua: 'return 1', numberOfKeys: 0 } } },
      { namespace: 'cache' },
    );
    mounted.checkFree('queue', 'the adapter');
    expect(() => mounted.checkFree(undefined, 'the adapter')).toThrow(
      'the adapter has already been registered',
    );
    expect(() => mounted.checkFree('cache', 'the adapter')).toThrow(
      "Redis 'cache' instance namespace has already been registered",
    );
    for (const member of ['get', 'status', 'label', 'end', 'then', 'toString', 'greet']) {
      expect(() => mounted.checkFree(member, 'the adapter')).toThrow(
        `Redis '${member}' cannot be a namespace: "redis" has a member of that name`,
      );
    }
    new MountedPools().checkFree(undefined, 'the adapter');
  });

  test('of a pool that comes last may not have the name of a script of it either', () => {
    const mounted = mount({ namespace: 'cache' });
    const scripts = { cache: { lua: 'return 1', numberOfKeys: 0 } };
    expect(() => mounted.add(open({ url: server.url, scripts }))).toThrow(
      `Redis 'cache' cannot be a namespace: "redis" has a member of that name`,
    );
    expect(mounted.main).toBe(undefined);
  });
});

describe('a pool of an adapter', () => {
  test('has the name of its namespace, or its own, and the logger of the framework, or its own', async () => {
    const lines: string[] = [];
    const logger = (who: string) => ({
      debug: () => {},
      info: () => void lines.push(who),
      warn: () => {},
      error: () => {},
    });
    const [first, second] = [
      openPool({ url: server.url, namespace: 'cache' }, logger('framework')),
      openPool(
        { url: server.url, namespace: 'queue', name: 'jobs', logger: logger('own') },
        logger('framework'),
      ),
    ];
    sources.push(first, second);
    expect([first.pool.name, second.pool.name]).toEqual(['cache', 'jobs']);
    expect([first.owned, second.owned]).toEqual([true, true]);
    await first.pool.ready();
    expect(new Set(lines)).toEqual(new Set(['framework']));
    lines.splice(0);
    await second.pool.ready();
    expect(new Set(lines)).toEqual(new Set(['own']));
  });

  test('is waited for within its connectTimeoutMs, or less', async () => {
    server.freeze();
    const source = open({ url: server.url, connectTimeoutMs: 10_000 });
    const startedAt = performance.now();
    expect(await errorOf(startPool(source, {}, 100))).toMatchObject({ code: 'RP_ERR_CONNECT_TIMEOUT' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await startPool(source, { startup: 'lazy' });
    await startPool(source, { startup: 'optional' });
    server.thaw();
    await source.pool.ready();
    await abandonPool(source);
    expect(source.pool.status).toBe('closed');
  });

  test('that was given is closed by nobody but its owner, unless asked for', async () => {
    const client = createRedisPool({ url: server.url, name: 'given' });
    const [guest, heir] = [open({ client }), open({ client, closeClient: true })];
    expect([guest.owned, heir.owned]).toEqual([false, true]);
    await abandonPool(guest);
    expect(await client.ping()).toBe('PONG');
    await abandonPool(heir);
    expect(client.status).toBe('closed');
  });
});
