import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type RedisServer, startFaultProxy, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Message } from '../../src/subscriber/message.js';
import type { Subscription } from '../../src/subscriber/subscription.js';
import {
  channelsOf,
  codeOf,
  numSub,
  publish,
  publishMany,
  recordingLogger,
  useSubscribers,
} from './subscriber-harness.js';

let server: RedisServer;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

function memoryAfterCollection(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

async function take(subscription: Subscription, count: number): Promise<string[]> {
  const taken: string[] = [];
  const iterator = subscription[Symbol.asyncIterator]();
  while (taken.length < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    taken.push(value.message);
  }
  return taken;
}

describe('a slow consumer', () => {
  const COUNT = 50_000;

  test.each([
    ['drop-oldest', 1_000],
    ['drop-oldest', 7],
  ] as const)('with %s keeps the newest %i messages and counts the others', async (overflow, bufferSize) => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'busy', undefined, { overflow, bufferSize });
    const iterator = subscription[Symbol.asyncIterator]();
    await publishMany(server, 'busy', COUNT);
    await waitUntil(() => subscriber.stats().messages === COUNT, { what: 'all messages came' });
    expect(subscription.dropped).toBe(COUNT - bufferSize);
    expect(subscriber.stats().dropped).toBe(COUNT - bufferSize);
    for (let message = COUNT - bufferSize + 1; message <= COUNT; message += 1) {
      expect((await iterator.next()).value?.message).toBe(String(message));
    }
    await subscription.unsubscribe();
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });

  test('with coalesce gets the newest message of each channel and counts those that were replaced', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const channels = ['price:a', 'price:b', 'price:c'];
    const subscription = await subscriber.subscribe('subscribe', channels, undefined, {
      overflow: 'coalesce',
    });
    for (const channel of channels) await publishMany(server, channel, COUNT / 10);
    await publish(server, 'price:a', 'newest');
    const sent = (COUNT / 10) * 3 + 1;
    await waitUntil(() => subscriber.stats().messages === sent, { what: 'all messages came' });
    const got: Message[] = [];
    for await (const message of subscription) if (got.push(message) === 3) break;
    expect(got).toEqual([
      { channel: 'price:a', message: 'newest' },
      { channel: 'price:b', message: String(COUNT / 10) },
      { channel: 'price:c', message: String(COUNT / 10) },
    ]);
    expect(subscription.dropped).toBe(sent - 3);
  });

  test('with end gets what fitted and then an error, and is unsubscribed', async () => {
    const ends: unknown[] = [];
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'busy', undefined, {
      overflow: 'end',
      bufferSize: 10,
      onEnd: (error) => ends.push(error),
    });
    await publishMany(server, 'busy', 1_000);
    await waitUntil(() => subscription.ended, { what: 'the buffer was full' });
    const iterator = subscription[Symbol.asyncIterator]();
    for (let message = 1; message <= 10; message += 1) {
      expect((await iterator.next()).value?.message).toBe(String(message));
    }
    expect(await codeOf(iterator.next())).toBe('RP_ERR_QUEUE_FULL');
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
    expect(subscription.dropped).toBe(1);
    expect(ends).toMatchObject([{ code: 'RP_ERR_QUEUE_FULL', retryable: true }]);
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'the server knows' });
  });

  test('costs what waits in its buffer, however much is published', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'busy', undefined, { encoding: 'buffer' });
    const script = "local m = string.rep('x', 2000) for i = 1, 10000 do redis.call('PUBLISH', 'busy', m) end";
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    for (let messages = 10_000; messages <= 60_000; messages += 10_000) {
      await server.adminCommand('EVAL', script, 0);
      await waitUntil(() => subscriber.stats().messages === messages, { what: 'all messages came' });
      // 2 MB wait, of 20 MB to 120 MB that came in chunks of up to 64 KiB.
      await waitUntil(() => memoryAfterCollection() - before < 4_000_000, { what: 'memory is back' });
    }
    expect(subscription.dropped).toBe(59_000);
    await subscription.unsubscribe();
  });

  test('does not keep the others waiting', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const slow = await subscriber.subscribe('subscribe', 'busy', undefined, { bufferSize: 1 });
    const got: string[] = [];
    await subscriber.subscribe('subscribe', 'busy', (message) => got.push(message));
    await publishMany(server, 'busy', 500);
    await waitUntil(() => got.length === 500, { what: 'the quick one got all' });
    expect(slow.dropped).toBe(499);
  });
});

describe('an iterator', () => {
  test('gives messages in order, those that came before the first next() too, and waits for the others', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'a');
    await publishMany(server, 'a', 3);
    await waitUntil(() => subscriber.stats().messages === 3, { what: 'three came' });
    const six = take(subscription, 6);
    await publishMany(server, 'a', 3);
    expect(await six).toEqual(['1', '2', '3', '1', '2', '3']);
    expect(subscription.dropped).toBe(0);
  });

  test('unsubscribes when the loop is left, by break and by an exception', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const broken = await subscriber.subscribe('subscribe', 'a');
    const thrown = await subscriber.subscribe('subscribe', 'b');
    await publish(server, 'a', '1');
    await publish(server, 'b', '1');
    for await (const _ of broken) break;
    const loop = (async () => {
      for await (const _ of thrown) throw new Error('on purpose');
    })();
    await expect(loop).rejects.toThrow('on purpose');
    expect([broken.ended, thrown.ended]).toEqual([true, true]);
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'the server knows' });
  });

  test('answers calls of next() that came before their messages in the order of the calls', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'a');
    const iterator = subscription[Symbol.asyncIterator]();
    const results = [iterator.next(), iterator.next(), iterator.next()];
    await publishMany(server, 'a', 2);
    expect((await results[0])?.value).toEqual({ channel: 'a', message: '1' });
    expect((await results[1])?.value).toEqual({ channel: 'a', message: '2' });
    await subscription.unsubscribe();
    expect(await results[2]).toEqual({ value: undefined, done: true });
  });

  test('gives nothing any more after unsubscribe(), neither what waited nor what is being delivered', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    await subscriber.subscribe('subscribe', 'a', (message) => {
      if (message === '3') void subscription.unsubscribe();
    });
    const subscription = await subscriber.subscribe('subscribe', 'a');
    await publishMany(server, 'a', 3);
    await waitUntil(() => subscription.ended, { what: 'the third message ended it' });
    expect(await take(subscription, 1)).toEqual([]);
    expect(subscription.dropped).toBe(0);
  });

  test('is given once', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'a');
    subscription[Symbol.asyncIterator]();
    expect(() => subscription[Symbol.asyncIterator]()).toThrow(/iterated once/);
  });

  test('is not given where there is a listener', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const subscription = await subscriber.subscribe('subscribe', 'a', () => {});
    const loop = (async () => {
      for await (const _ of subscription);
    })();
    expect(await codeOf(loop)).toBe('RP_ERR_INVALID_OPTION');
    expect(subscription.ended).toBe(false);
  });
});

describe('a listener', () => {
  test('that throws or rejects hurts neither the others nor itself, and is logged once without the message', async () => {
    const logger = recordingLogger();
    const { subscriber } = makeSubscriber({ url: server.url, logger });
    const got: string[] = [];
    await subscriber.subscribe('subscribe', 'secret-channel', (message) => {
      got.push(`throwing ${message}`);
      throw new Error(`cannot read ${message}\n    at ${message}`);
    });
    await subscriber.subscribe('subscribe', 'secret-channel', async (message) => {
      got.push(`rejecting ${message}`);
      throw new TypeError(`cannot read ${message}`);
    });
    await subscriber.subscribe('subscribe', 'secret-channel', (message) => got.push(`other ${message}`));
    await publish(server, 'secret-channel', 'secret-1');
    await publish(server, 'secret-channel', 'secret-2');
    await waitUntil(() => got.length === 6, { what: 'everybody got both' });
    expect(got.slice(3)).toEqual(['throwing secret-2', 'rejecting secret-2', 'other secret-2']);
    await nextTurn();
    expect(subscriber.stats().listenerErrors).toBe(4);
    const errors = logger.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ fields }) => fields)).toEqual([
      {
        pool: 'test',
        command: 'subscribe',
        error: 'Error',
        at: expect.stringContaining('consumers.test.ts'),
      },
      {
        pool: 'test',
        command: 'subscribe',
        error: 'TypeError',
        at: expect.stringContaining('consumers.test.ts'),
      },
    ]);
    expect(JSON.stringify(errors)).not.toContain('secret');
  });

  test('may use its subscription although a message came together with the confirmation', async () => {
    const proxy = await startFaultProxy({ target: server });
    const { subscriber, host } = makeSubscriber({ url: proxy.url });
    await subscriber.subscribe('subscribe', 'other');
    const chunks: string[] = [];
    host.connections[0]?.socket.prependListener('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    proxy.stallAfter(0, 'toClient');
    const got: string[] = [];
    const pending = (async () => {
      const subscription = await subscriber.subscribe('subscribe', 'a', (message) => {
        got.push(message);
        void subscription.unsubscribe();
      });
    })();
    await waitUntil(async () => (await numSub(server, 'a')).a === 1, {
      what: 'the server has subscribed it',
    });
    await publish(server, 'a', 'first');
    await proxy.heal();
    await pending;
    await waitUntil(() => got.length > 0, { what: 'the message came' });
    expect(chunks[0]).toMatch(/subscribe[\s\S]*first/);
    expect(got).toEqual(['first']);
    expect(subscriber.stats().listenerErrors).toBe(0);
    subscriber.destroy();
    await proxy.close();
  });

  test('of bytes gets them as they were published, and text gets them decoded once for all', async () => {
    const { subscriber } = makeSubscriber({ url: server.url });
    const bytes: Buffer[] = [];
    const texts: string[] = [];
    await subscriber.subscribe('subscribe', 'a', (message) => bytes.push(message), { encoding: 'buffer' });
    await subscriber.subscribe('subscribe', 'a', (message) => texts.push(message), { encoding: 'utf8' });
    const script = "return redis.call('PUBLISH', 'a', string.char(0, 255, 13, 10, 195, 164))";
    const iterated = await subscriber.subscribe('subscribe', 'a', undefined, { encoding: 'buffer' });
    await server.adminCommand('EVAL', script, 0);
    await publish(server, 'a', '');
    for await (const { message } of iterated) {
      expect(message.equals(Buffer.from([0, 255, 13, 10, 195, 164]))).toBe(true);
      break;
    }
    await waitUntil(() => bytes.length === 2 && texts.length === 2, { what: 'both came' });
    expect(bytes).toEqual([Buffer.from([0, 255, 13, 10, 195, 164]), Buffer.alloc(0)]);
    expect(texts).toEqual(['\u0000\uFFFD\r\nä', '']);
  });
});

test('messages of several megabytes and channels that are no ASCII come through', async () => {
  const { subscriber } = makeSubscriber({ url: server.url });
  const subscription = await subscriber.subscribe('subscribe', 'kanał/日本 🚀');
  await server.adminCommand(
    'EVAL',
    "return redis.call('PUBLISH', ARGV[1], string.rep('ä', 2000000))",
    0,
    'kanał/日本 🚀',
  );
  for await (const { channel, message } of subscription) {
    expect(channel).toBe('kanał/日本 🚀');
    expect(message.length).toBe(2_000_000);
    break;
  }
});
