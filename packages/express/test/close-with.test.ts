import { once } from 'node:events';
import type { Server } from 'node:http';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import type { Express } from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CloseWithOptions, Closing, RedisMiddleware } from '../src/index.js';
import { MAJORS, useApps } from './apps.js';
import { get } from './http.js';
import { RawClient } from './raw-client.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
useLeakCheck(() => [server]);
afterEach(() => {
  if (server.status === 'frozen') server.thaw();
});
const apps = useApps();

/** Far from the end of the budget, which is 10 s unless a test says otherwise. */
const SOON_MS = 3_000;

/** A gate that requests wait at. */
class Gate {
  entered = 0;
  readonly #opened: Promise<void>;
  open!: () => void;

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  async pass(): Promise<void> {
    this.entered += 1;
    await this.#opened;
  }

  async hasEntered(count: number): Promise<void> {
    await waitUntil(() => this.entered === count, { what: `${count} requests are at work` });
  }
}

interface Stage {
  readonly url: string;
  readonly redis: RedisMiddleware;
  readonly closing: Closing;
  readonly gate: Gate;
  readonly http: Server;
}

async function stage(app: Express, options: CloseWithOptions = {}): Promise<Stage> {
  const redis = apps.pool({ url: server.url });
  const gate = new Gate();
  await redis.ready();
  app.set('env', 'test');
  app.use(redis);
  app.get('/quick', (_req, res) => void res.send('quick'));
  app.get('/slow', (_req, res, next) => {
    gate.pass().then(() => res.send('slow'), next);
  });
  app.get('/slow-redis', (req, res, next) => {
    gate
      .pass()
      .then(() => req.redis.ping())
      .then((pong) => res.send(pong), next);
  });
  app.get('/stream', (_req, res, next) => {
    res.write('begin');
    gate.pass().then(() => res.end('end'), next);
  });
  app.get('/large', (_req, res) => void res.send(Buffer.alloc(LARGE)));
  const { url, server: http } = await apps.listen(app);
  return { url, redis, gate, http, closing: redis.closeWith(http, options) };
}

const [[, newest]] = MAJORS as [(typeof MAJORS)[number]];
const LARGE = 20_000_000;

function client(url: string): RawClient {
  const made = new RawClient(url);
  apps.later(async () => made.hangUp());
  return made;
}

async function timed<T>(promise: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const startedAt = performance.now();
  const value = await promise;
  return { value, ms: performance.now() - startedAt };
}

const CLEAN = { drained: true, cutCommands: 0, cutLeases: 0, cutRequests: 0 };

describe.each(MAJORS)('%s: the end of a server', (_name, express) => {
  test('lets requests finish, also those that do not use Redis, and then the pool', async () => {
    const { url, gate, closing, redis, http } = await stage(express());
    const answers = ['/slow', '/slow-redis', '/stream'].map((path) => get(url + path));
    await gate.hasEntered(3);
    const closed = closing.close();
    await waitUntil(() => !http.listening, { what: 'the server takes no connection' });
    expect(redis.pool.status).toBe('ready');
    await expect(get(`${url}/quick`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    gate.open();
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['slow', 'PONG', 'beginend']);
    expect(await closed).toMatchObject(CLEAN);
    expect(await closing.closed).toBe(await closed);
    expect(redis.pool.status).toBe('closed');
  });

  test('ends kept connections at once when they are idle, and with their answer when not', async () => {
    const { url, gate, closing } = await stage(express());
    const [idle, busy, streaming] = [client(url), client(url), client(url)];
    idle.send('/quick');
    await idle.until('quick');
    busy.send('/slow');
    streaming.send('/stream');
    await gate.hasEntered(2);
    await streaming.until('begin');
    const closed = timed(closing.close());
    await idle.untilClosed();
    expect([busy.isClosed, streaming.isClosed]).toEqual([false, false]);
    gate.open();
    expect((await closed).ms).toBeLessThan(SOON_MS);
    await Promise.all([busy.untilClosed(), streaming.untilClosed()]);
    expect(busy.received).toMatch(/connection: close\r\n.*slow$/is);
    expect(idle.received).not.toMatch(/connection: close/i);
    // Its headers had left before; the last chunk has come all the same.
    expect(streaming.received).toMatch(/end\r\n0\r\n\r\n$/);
  });

  test('answers all requests of a pipeline, the last one with "Connection: close"', async () => {
    const { url, gate, closing } = await stage(express());
    const one = client(url);
    one.send('/slow', '/slow', '/slow-redis');
    await gate.hasEntered(3);
    const closed = closing.close();
    gate.open();
    expect(await closed).toMatchObject(CLEAN);
    await one.untilClosed();
    expect(one.received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
    expect(one.received.match(/connection: close/gi)).toHaveLength(1);
    expect(one.received).toMatch(/connection: close\r\n.*PONG$/is);
  });

  test('does not cut an answer that is finished and still on its way to a slow client', async () => {
    const { url, closing, gate, http } = await stage(express());
    const slow = client(url);
    slow.socket.pause();
    slow.send('/large');
    // Another connection whose answer ends meanwhile: it must not take the first one with it.
    const busy = client(url);
    busy.send('/slow');
    await gate.hasEntered(1);
    const closed = closing.close();
    gate.open();
    await busy.untilClosed();
    await waitUntil(() => !http.listening, { what: 'the server takes no connection' });
    slow.socket.resume();
    expect(await closed).toMatchObject(CLEAN);
    await slow.untilClosed();
    expect(slow.received.length).toBeGreaterThan(LARGE);
  });

  test('serves what had arrived when it began', async () => {
    const { url, closing } = await stage(express());
    const one = client(url);
    one.send('/quick');
    await one.until('quick');
    one.send('/quick');
    await closing.close();
    await one.untilClosed();
    expect(one.received.match(/quick/g)).toHaveLength(2);
    expect(one.received).toMatch(/connection: close\r\n.*quick$/is);
  });

  test('does not wait for connections that browsers open in reserve', async () => {
    const { url, closing, http } = await stage(express());
    const silent = client(url);
    await once(http, 'connection');
    const { ms, value } = await timed(closing.close());
    expect(ms).toBeLessThan(SOON_MS);
    expect(value).toMatchObject(CLEAN);
    await silent.untilClosed();
  });

  test('ends what waits for ever: streams of events, parked commands of requests and of workers', async () => {
    const app = express();
    const { url, closing, redis } = await stage(app);
    app.get('/events', async (req, res, next) => {
      try {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        for await (const { message } of await req.redis.subscribe('news')) res.write(`data: ${message}\n\n`);
        res.end();
      } catch (error) {
        next(error);
      }
    });
    app.get('/park', (req, res) => {
      req.redis.blpop('queue', 0).catch(({ code }) => res.send(code));
    });
    const worker = redis.pool.blpop('jobs', 0).catch(({ code }) => code);
    const events = client(url);
    events.send('/events');
    const parked = get(`${url}/park`);
    await waitUntil(
      async () => /blocked_clients:2/.test(String(await server.adminCommand('INFO', 'clients'))),
      {
        what: 'both are parked',
      },
    );
    await waitUntil(() => redis.pool.publish('news', 'one'), { what: 'the stream is subscribed' });
    await events.until('data: one');
    const { ms, value } = await timed(closing.close());
    expect(ms).toBeLessThan(SOON_MS);
    expect(value).toMatchObject(CLEAN);
    expect([await worker, (await parked).body]).toEqual(['RP_ERR_CLOSING', 'RP_ERR_CLOSING']);
    await events.untilClosed();
    expect(events.received.endsWith('0\r\n\r\n')).toBe(true);
  });

  test('cuts what is left at the end of its budget, and says so', async () => {
    const { url, gate, closing, redis } = await stage(express(), { timeoutMs: 400 });
    const [one, two] = [client(url), client(url)];
    one.send('/slow');
    two.send('/stream');
    await gate.hasEntered(2);
    const { ms, value } = await timed(closing.close());
    expect(ms).toBeGreaterThan(390);
    expect(ms).toBeLessThan(1_000);
    expect(value).toMatchObject({ drained: false, cutRequests: 2, cutCommands: 0 });
    expect(redis.pool.status).toBe('closed');
    await Promise.all([one.untilClosed(), two.untilClosed()]);
    gate.open();
  });

  test('stays inside its budget while Redis is frozen; requests are answered, the report counts what was cut', async () => {
    const { url, gate, closing, redis } = await stage(express(), { timeoutMs: 1_000 });
    const answers = Array.from({ length: 5 }, () => get(`${url}/slow-redis`));
    await gate.hasEntered(5);
    server.freeze();
    gate.open();
    await waitUntil(() => redis.pool.stats().lanes[0]?.inFlight === 5, { what: 'the commands are sent' });
    const { ms, value } = await timed(closing.close());
    expect(ms).toBeLessThan(1_500);
    expect(value).toMatchObject({ drained: false, cutCommands: 5, cutRequests: 0 });
    for (const { status } of await Promise.all(answers)) expect(status).toBe(503);
  });

  test('leaves upgraded connections alone until the end of its budget, and does not count them', async () => {
    const { url, closing, http, redis } = await stage(express(), { timeoutMs: 600 });
    http.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('error', () => {});
    });
    const [staying, leaving] = [client(url), client(url)];
    for (const one of [staying, leaving]) {
      one.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      await one.until('101');
    }
    const closed = timed(closing.close());
    await waitUntil(() => redis.pool.status === 'closed', { what: 'the pool is closed' });
    staying.write('still here');
    await staying.until('still here');
    leaving.hangUp();
    const { ms, value } = await closed;
    expect(ms).toBeGreaterThan(590);
    expect(value).toMatchObject(CLEAN);
    await staying.untilClosed();
  });

  test('of a server that has been closed already is the end of its pool', async () => {
    const { url, gate, closing, http } = await stage(express());
    const answer = get(`${url}/slow`);
    await gate.hasEntered(1);
    http.close();
    const closed = closing.close();
    gate.open();
    expect((await answer).body).toBe('slow');
    expect(await closed).toMatchObject(CLEAN);
    expect(http.listening).toBe(false);
  });

  test('may be told twice, and of two pools each has its own', async () => {
    const { url, gate, closing, http } = await stage(express());
    const cache = apps.pool({ url: server.url, namespace: 'cache' });
    const other = cache.closeWith(http);
    await cache.ready();
    const answer = get(`${url}/slow`);
    await gate.hasEntered(1);
    const closed = Promise.all([closing.close(), closing.close(), other.close()]);
    gate.open();
    expect((await answer).body).toBe('slow');
    const [first, second, third] = await closed;
    expect(first).toBe(second);
    expect([first, third]).toMatchObject([CLEAN, CLEAN]);
    expect(cache.pool.status).toBe('closed');
  });

  test('leaves no listener behind, neither on the process nor on the server; so does taking it back', async () => {
    const { redis, http, closing } = await stage(express(), { signals: ['SIGUSR2'] });
    const counts = () => [
      process.listenerCount('SIGUSR2'),
      ...['request', 'connection', 'session', 'secureConnection'].map((name) => http.listenerCount(name)),
    ];
    const during = counts();
    const again = redis.closeWith(http, { signals: ['SIGUSR2'] });
    expect(counts()).toEqual(during.map((count) => count + 1));
    again[Symbol.dispose]();
    expect(counts()).toEqual(during);
    await closing.close();
    expect(counts()).toEqual(during.map((count) => count - 1));
    expect(counts()[0]).toBe(0);
  });
});

test.each([
  [{ timeoutMs: -1 }, /"timeoutMs" must be an integer from 0/],
  [{ timeoutMs: '5s' }, /"timeoutMs" must be an integer from 0/],
  [{ signals: ['SIGSTOP'] }, /"signals" must be a list of signals that can be handled, received SIGSTOP/],
  [{ signals: ['TERM'] }, /received TERM/],
  [{ signals: 'SIGTERM' }, /received SIGTERM/],
])('closeWith() refuses wrong options at once: %o', async (options, message) => {
  const { redis, http } = await stage(newest());
  // @ts-expect-error -- wrong by intent
  expect(() => redis.closeWith(http, options)).toThrow(message);
});
