import { getEventListeners } from 'node:events';
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
import {
  channelsOf,
  codeOf,
  controlTimer,
  errorOf,
  numSub,
  publish,
  type TestSubscriber,
  useSubscribers,
} from './subscriber-harness.js';

/** Law 3: what a settling may take after its deadline. */
const GRACE_MS = 50;

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status === 'frozen') server.thaw();
  await proxy.close();
});

function expectNothingLeft({ subscriber }: TestSubscriber): void {
  expect(subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0 });
}

describe('abort', () => {
  const reason = new Error('the client hung up');

  test('before the call rejects with the reason and asks the server nothing', async () => {
    const made = makeSubscriber({ url: server.url });
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(made.subscriber.subscribe('subscribe', 'a', undefined, { signal }))).toBe(reason);
    expect(made.host.attempts).toBe(0);
    expectNothingLeft(made);
  });

  test('while connecting rejects at once and gives the attempt up', async () => {
    await proxy.acceptAndSilence();
    const made = makeSubscriber({ url: proxy.url, connectTimeoutMs: 60_000 });
    const { signal, abort } = controller();
    const pending = errorOf(made.subscriber.subscribe('subscribe', 'a', undefined, { signal }));
    await waitUntil(() => proxy.connectionCount === 1, { what: 'it is connecting' });
    abort(reason);
    expect(await pending).toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expectNothingLeft(made);
    await waitUntil(() => made.host.places === 1, { what: 'the attempt is over' });
    expect(made.host.dialling).toBe(0);
  });

  test('of an attempt to connect does not count as a failure of the server', async () => {
    await proxy.acceptAndSilence();
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    const made = makeSubscriber({ url: proxy.url, connectTimeoutMs: 60_000, reconnect });
    const { signal, abort } = controller();
    const pending = errorOf(made.subscriber.subscribe('subscribe', 'a', undefined, { signal }));
    await waitUntil(() => proxy.connectionCount === 1, { what: 'it is connecting' });
    abort(reason);
    await pending;
    await proxy.heal();
    await made.subscriber.subscribe('subscribe', 'a');
    expect(made.host.attempts).toBe(2);
  });

  test.each([0, 1, 2, 3, 4, 5, 6])(
    '%i steps after the connection was made leaves none behind',
    async (steps) => {
      const made = makeSubscriber({ url: server.url });
      const { signal, abort } = controller();
      const { open } = made.host;
      made.host.open = (attempt) =>
        open.call(made.host, attempt).then((connection) => {
          void afterMicrotasks(steps).then(() => abort(reason));
          return connection;
        });
      expect(await errorOf(made.subscriber.subscribe('subscribe', 'a', undefined, { signal }))).toBe(reason);
      await waitUntil(() => made.host.places === 1, { what: 'the place is free' });
      await waitUntil(() => made.host.connections[0]?.lost, { what: 'the connection is closed' });
    },
  );

  test('while the server has not confirmed rejects, and the server forgets what it was told', async () => {
    const made = makeSubscriber({ url: server.url });
    await made.subscriber.subscribe('subscribe', 'other');
    server.freeze();
    const { signal, abort } = controller();
    const pending = errorOf(made.subscriber.subscribe('subscribe', ['a', 'other'], undefined, { signal }));
    await waitUntil(() => unsentBytes(made) === 0, { what: 'SUBSCRIBE is on its way' });
    abort(reason);
    expect(await pending).toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(made.subscriber.stats().subscriptions).toBe(1);
    server.thaw();
    await waitUntil(
      async () => made.subscriber.stats().channels === 1 && (await numSub(server, 'a')).a === 0,
      {
        what: 'it is undone',
      },
    );
    expect(await channelsOf(server)).toEqual(['other']);
  });

  test('in the same turn as the call leaves the server alone', async () => {
    const made = makeSubscriber({ url: server.url });
    await made.subscriber.subscribe('subscribe', 'other');
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const { signal, abort } = controller();
    const pending = errorOf(made.subscriber.subscribe('subscribe', 'a', undefined, { signal }));
    abort(reason);
    expect(await pending).toBe(reason);
    await made.subscriber.subscribe('subscribe', 'b');
    expect(await channelsOf(server)).toEqual(['b', 'other']);
    expect(String(await server.adminCommand('INFO', 'commandstats'))).not.toContain('unsubscribe');
  });

  test('of a running subscription ends it: its loop is done and its listener is called no more', async () => {
    const made = makeSubscriber({ url: server.url });
    const { signal, abort } = controller();
    const ends: unknown[] = [];
    const got: string[] = [];
    const onEnd = (error: unknown): void => {
      ends.push(error);
    };
    const listening = await made.subscriber.subscribe('subscribe', 'a', (message) => got.push(message), {
      signal,
      onEnd,
    });
    const iterated = await made.subscriber.subscribe('subscribe', 'b', undefined, { signal, onEnd });
    const loop = (async () => {
      for await (const { message } of iterated) got.push(message);
      return 'done';
    })();
    await publish(server, 'a', '1');
    await publish(server, 'b', '1');
    await waitUntil(() => got.length === 2, { what: 'both are running' });
    abort(reason);
    expect(await loop).toBe('done');
    expect([listening.ended, iterated.ended]).toEqual([true, true]);
    expect(ends).toEqual([undefined, undefined]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'the server knows' });
    await publish(server, 'a', '2');
    expect(got).toEqual(['1', '1']);
  });

  test('of a signal that many subscriptions share costs one listener and no warning, and ends all', async () => {
    const made = makeSubscriber({ url: server.url });
    const { signal, abort } = controller();
    const subscriptions = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        made.subscriber.subscribe('subscribe', `s:${index}`, () => {}, { signal }),
      ),
    );
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    await subscriptions[0]?.unsubscribe();
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    abort(reason);
    expect(subscriptions.every(({ ended }) => ended)).toBe(true);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('after the end changes nothing', async () => {
    const made = makeSubscriber({ url: server.url });
    const { signal, abort } = controller();
    const subscription = await made.subscriber.subscribe('subscribe', 'a', undefined, { signal });
    await subscription.unsubscribe();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    abort(reason);
    expect(subscription.ended).toBe(true);
  });
});

describe('timeout', () => {
  const commandTimeoutMs = 200;

  test('without a connection rejects in time with RP_ERR_UNAVAILABLE and the cause, and leaves nothing', async () => {
    proxy.refuse();
    const made = makeSubscriber({
      url: proxy.url,
      commandTimeoutMs,
      reconnect: { minDelayMs: 1, maxDelayMs: 10 },
    });
    const pending = errorOf(made.subscriber.subscribe('subscribe', 'a'));
    const deadline = controlTimer(commandTimeoutMs);
    expect(await pending).toMatchObject({
      code: 'RP_ERR_UNAVAILABLE',
      retryable: true,
      statusCode: 503,
      cause: { code: 'RP_ERR_CONNECT' },
    });
    expect(performance.now() - (await deadline)).toBeLessThan(GRACE_MS);
    expectNothingLeft(made);
    await waitUntil(() => made.host.places === 1, { what: 'the place is free' });
    const { attempts } = made.host;
    expect(attempts).toBeGreaterThan(1);
    await controlTimer(50);
    expect(made.host.attempts).toBe(attempts);
  });

  test('names as cause what ended the connection when there was no attempt since', async () => {
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    const made = makeSubscriber({ url: proxy.url, commandTimeoutMs, reconnect });
    await made.subscriber.subscribe('subscribe', 'a');
    made.host.connections[0]?.destroy(new Error('cut by the test'));
    await waitUntil(() => !made.subscriber.stats().connected, { what: 'the connection is lost' });
    await expect(made.subscriber.subscribe('subscribe', 'b')).rejects.toMatchObject({
      code: 'RP_ERR_UNAVAILABLE',
      cause: { message: 'cut by the test' },
    });
  });

  test('while connecting to a silent server rejects in time and gives the attempt up', async () => {
    await proxy.acceptAndSilence();
    const made = makeSubscriber({ url: proxy.url, commandTimeoutMs, connectTimeoutMs: 60_000 });
    const pending = codeOf(made.subscriber.subscribe('subscribe', 'a'));
    const deadline = controlTimer(commandTimeoutMs);
    expect(await pending).toBe('RP_ERR_UNAVAILABLE');
    expect(performance.now() - (await deadline)).toBeLessThan(GRACE_MS);
    expectNothingLeft(made);
    await waitUntil(() => made.host.places === 1, { what: 'the attempt is over' });
    expect(made.host.dialling).toBe(0);
  });

  test('against a frozen server rejects in time with RP_ERR_COMMAND_TIMEOUT and leaves no reference', async () => {
    const made = makeSubscriber({ url: server.url, commandTimeoutMs });
    const warm = await made.subscriber.subscribe('subscribe', 'warm');
    await warm.unsubscribe();
    server.freeze();
    const pending = errorOf(made.subscriber.subscribe('subscribe', ['a', 'b']));
    const deadline = controlTimer(commandTimeoutMs);
    const error = await pending;
    expect(error).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', retryable: true, statusCode: 503 });
    expect(String(error)).toContain('2 channels');
    expect(performance.now() - (await deadline)).toBeLessThan(GRACE_MS);
    expect(made.subscriber.stats().subscriptions).toBe(0);
    server.thaw();
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'it is undone' });
    await waitUntil(() => made.subscriber.stats().channels === 0, { what: 'nothing is left here' });
    const again = await made.subscriber.subscribe('subscribe', 'a');
    await again.unsubscribe();
  });

  test('one of many late subscribers does not take the channel from the others', async () => {
    const made = makeSubscriber({ url: server.url, commandTimeoutMs });
    const got: string[] = [];
    await made.subscriber.subscribe('subscribe', 'a', (message) => got.push(message));
    server.freeze();
    expect(await codeOf(made.subscriber.subscribe('subscribe', ['a', 'b']))).toBe('RP_ERR_COMMAND_TIMEOUT');
    server.thaw();
    await waitUntil(async () => (await numSub(server, 'a', 'b')).a === 1, { what: 'a is subscribed' });
    await waitUntil(
      async () => {
        await publish(server, 'a', 'x');
        return got.length > 0;
      },
      { what: 'messages flow' },
    );
    await waitUntil(async () => (await numSub(server, 'b')).b === 0, { what: 'b is undone' });
    // A late answer is no reason to give the connection of everybody up.
    expect(made.subscriber.stats()).toMatchObject({ reconnects: 0, gaps: 0 });
    expect(await channelsOf(server)).toEqual(['a']);
  });

  test('a blocked event loop does not make a confirmation late that lies in the socket', async () => {
    const made = makeSubscriber({ url: server.url, commandTimeoutMs: 100 });
    await made.subscriber.subscribe('subscribe', 'warm');
    await nextTurn();
    const pending = made.subscriber.subscribe('subscribe', 'a');
    // Right behind the step in which the subscriber writes: the answer comes while nobody can read it.
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        const coalescer = made.host.connections[0]?.coalescer;
        expect(coalescer?.pending).toBeGreaterThan(0);
        coalescer?.flush();
        const until = performance.now() + 200;
        while (performance.now() < until);
        resolve();
      });
    });
    await pending;
    expect(made.subscriber.stats()).toMatchObject({ subscriptions: 2, reconnects: 0, connected: true });
  });

  test('unsubscribe() of a frozen server resolves in time', async () => {
    const made = makeSubscriber({ url: server.url, commandTimeoutMs });
    const subscription = await made.subscriber.subscribe('subscribe', 'a');
    server.freeze();
    const pending = subscription.unsubscribe().then(() => performance.now());
    const deadline = await controlTimer(commandTimeoutMs);
    expect((await pending) - deadline).toBeLessThan(GRACE_MS);
  });
});

describe('close', () => {
  test('ends every subscription: loops are done, waiting calls reject, and the server sees QUIT', async () => {
    const made = makeSubscriber({ url: server.url });
    await server.adminCommand('CONFIG', 'RESETSTAT');
    const ends: unknown[] = [];
    const listening = await made.subscriber.subscribe('subscribe', 'a', () => {}, {
      onEnd: (error) => ends.push(error),
    });
    const iterated = await made.subscriber.subscribe('subscribe', 'b');
    const loop = (async () => {
      for await (const _ of iterated);
      return 'done';
    })();
    const pending = codeOf(made.subscriber.subscribe('subscribe', 'c'));
    const closed = made.subscriber.close(500);
    expect(await pending).toBe('RP_ERR_CLOSING');
    expect(await codeOf(made.subscriber.subscribe('subscribe', 'd'))).toBe('RP_ERR_CLOSING');
    expect(await loop).toBe('done');
    expect(listening.ended).toBe(true);
    expect(ends).toEqual([undefined]);
    await closed;
    expect(await codeOf(made.subscriber.subscribe('subscribe', 'd'))).toBe('RP_ERR_CLOSED');
    expect(String(await server.adminCommand('INFO', 'commandstats'))).toContain('cmdstat_quit:calls=1');
    expect(made.host.places).toBe(1);
    expect(made.subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0, connected: false });
    await listening.unsubscribe();
  });

  test('without any subscription resolves at once', async () => {
    const made = makeSubscriber({ url: server.url });
    await made.subscriber.close(500);
    await made.subscriber.close(500);
    expect(made.host.attempts).toBe(0);
  });

  test('of a connection that is only kept for a moment closes it now', async () => {
    const made = makeSubscriber({ url: server.url });
    const subscription = await made.subscriber.subscribe('subscribe', 'a');
    await subscription.unsubscribe();
    await made.subscriber.close(500);
    expect(made.host.places).toBe(1);
  });

  test('of a frozen server takes no longer than its limit', async () => {
    const made = makeSubscriber({ url: server.url });
    await made.subscriber.subscribe('subscribe', 'a');
    const pending = codeOf(made.subscriber.subscribe('subscribe', 'b'));
    server.freeze();
    const closed = made.subscriber.close(100).then(() => performance.now());
    const limit = controlTimer(100);
    // The second call waits for the first.
    await made.subscriber.close(0);
    expect(made.host.places).toBe(1);
    expect((await closed) - (await limit)).toBeLessThan(GRACE_MS);
    expect(await pending).toBe('RP_ERR_CLOSING');
    expect(made.host.places).toBe(1);
  });

  test('while connecting gives the attempt up', async () => {
    await proxy.acceptAndSilence();
    const made = makeSubscriber({ url: proxy.url, connectTimeoutMs: 60_000 });
    const pending = codeOf(made.subscriber.subscribe('subscribe', 'a'));
    await waitUntil(() => proxy.connectionCount === 1, { what: 'it is connecting' });
    await made.subscriber.close(500);
    expect(await pending).toBe('RP_ERR_CLOSING');
    expect(made.host.places).toBe(1);
  });

  test('while it waits to reconnect does not wait for that', async () => {
    const reconnect = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    const made = makeSubscriber({ url: proxy.url, reconnect });
    const subscription = await made.subscriber.subscribe('subscribe', 'a');
    proxy.refuse();
    proxy.reset();
    await waitUntil(() => !made.subscriber.stats().connected, { what: 'the connection is lost' });
    await made.subscriber.close(500);
    expect(subscription.ended).toBe(true);
    expect(made.host.places).toBe(1);
  });

  test('destroy() ends everything at once, also a close() that hangs', async () => {
    const made = makeSubscriber({ url: server.url });
    const reason = new Error('enough');
    await made.subscriber.subscribe('subscribe', 'a');
    server.freeze();
    const pending = errorOf(made.subscriber.subscribe('subscribe', 'b'));
    const late = makeSubscriber({ url: server.url });
    const unconnected = errorOf(late.subscriber.subscribe('subscribe', 'c'));
    late.subscriber.destroy(reason);
    expect(await unconnected).toBe(reason);
    const closed = made.subscriber.close(60_000);
    expect(await pending).toMatchObject({ code: 'RP_ERR_CLOSING' });
    made.subscriber.destroy();
    await closed;
    expect(made.host.places).toBe(1);
    expect(await codeOf(made.subscriber.subscribe('subscribe', 'c'))).toBe('RP_ERR_CLOSED');
  });

  test('await using and unsubscribe() are idempotent', async () => {
    const made = makeSubscriber({ url: server.url });
    const subscription = await made.subscriber.subscribe('subscribe', 'a');
    await Promise.all([
      subscription.unsubscribe(),
      subscription[Symbol.asyncDispose](),
      subscription.unsubscribe(),
    ]);
    expect(await numSub(server, 'a')).toEqual({ a: 0 });
    expectNothingLeft(made);
  });
});

async function afterMicrotasks(count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) await undefined;
}

function controller(): { signal: AbortSignal; abort: (reason: unknown) => void } {
  const made = new AbortController();
  return { signal: made.signal, abort: (reason) => made.abort(reason) };
}

function unsentBytes({ host }: TestSubscriber): number {
  const connection = host.connections.at(-1);
  return connection === undefined ? -1 : connection.coalescer.pending + connection.socket.writableLength;
}
