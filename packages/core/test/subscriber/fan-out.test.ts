import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  callsOf,
  channelsOf,
  numSub,
  PROTOCOLS,
  publish,
  publishMany,
  subscriberClients,
  useSubscribers,
} from './subscriber-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(() => server.adminCommand('CONFIG', 'RESETSTAT'));

describe.each(PROTOCOLS)('with RESP%d', (protocol) => {
  const options = () => ({ url: server.url, redis: { protocol } });

  test('a thousand subscribers of ten channels share one connection and ten subscribed channels', async () => {
    const { subscriber } = makeSubscriber(options());
    const channels = Array.from({ length: 10 }, (_, index) => `channel:${index}`);
    const received = Array.from({ length: 1_000 }, () => [] as string[]);
    const subscriptions = await Promise.all(
      received.map((messages, index) =>
        subscriber.subscribe('subscribe', channels[index % 10] as string, (message, channel) => {
          messages.push(`${channel}=${message}`);
        }),
      ),
    );
    expect(await subscriberClients(server)).toBe(1);
    expect(subscriber.stats()).toMatchObject({ subscriptions: 1_000, channels: 10, connected: true });
    // All of them were asked for in one turn: one command with ten channels.
    expect(await callsOf(server, 'subscribe')).toBe(1);
    expect(await numSub(server, ...channels)).toEqual(Object.fromEntries(channels.map((name) => [name, 1])));

    for (const channel of channels) await publishMany(server, channel, 50);
    await waitUntil(() => received.every(({ length }) => length >= 50), {
      what: 'everybody got 50 messages',
    });
    received.forEach((messages, index) => {
      const expected = Array.from({ length: 50 }, (_, count) => `channel:${index % 10}=${count + 1}`);
      expect(messages).toEqual(expected);
    });
    expect(subscriber.stats().messages).toBe(500);

    await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
    expect(await numSub(server, ...channels)).toEqual(Object.fromEntries(channels.map((name) => [name, 0])));
    expect(await channelsOf(server)).toEqual([]);
    expect(subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0 });
    await waitUntil(async () => (await subscriberClients(server)) === 0, {
      what: 'the connection is closed',
    });
  });

  test('the last subscriber of a channel unsubscribes and the others stay', async () => {
    const { subscriber } = makeSubscriber(options());
    const got: string[] = [];
    const first = await subscriber.subscribe('subscribe', ['a', 'b'], (message) =>
      got.push(`first ${message}`),
    );
    const second = await subscriber.subscribe('subscribe', 'a', (message) => got.push(`second ${message}`));
    await first.unsubscribe();
    expect(await numSub(server, 'a', 'b')).toEqual({ a: 1, b: 0 });
    await publish(server, 'a', '1');
    await waitUntil(() => got.length > 0, { what: 'the second one got it' });
    expect(got).toEqual(['second 1']);
    await second.unsubscribe();
    expect(await numSub(server, 'a', 'b')).toEqual({ a: 0, b: 0 });
  });

  test('one listener on many channels learns the channel of each message, and a doubled channel counts once', async () => {
    const { subscriber } = makeSubscriber(options());
    const got: string[] = [];
    const subscription = await subscriber.subscribe(
      'subscribe',
      ['a', 'b', 'a'],
      (message, channel, pattern) => {
        got.push(`${channel} ${message} ${pattern}`);
      },
    );
    expect(subscription.channels).toEqual(['a', 'b']);
    await publish(server, 'a', '1');
    await publish(server, 'b', '2');
    await waitUntil(() => got.length >= 2, { what: 'both came' });
    expect(got).toEqual(['a 1 undefined', 'b 2 undefined']);
  });

  test('more channels than fit into one command are all subscribed', async () => {
    const { subscriber } = makeSubscriber(options());
    const names = Array.from({ length: 2_500 }, (_, index) => `many:${index}`);
    let count = 0;
    const subscription = await subscriber.subscribe('subscribe', names, () => {
      count += 1;
    });
    expect(await callsOf(server, 'subscribe')).toBe(3);
    expect((await channelsOf(server)).length).toBe(2_500);
    for (const name of ['many:0', 'many:1000', 'many:2499']) await publish(server, name, 'x');
    await waitUntil(() => count === 3, { what: 'the first, a middle and the last channel delivered' });
    await subscription.unsubscribe();
    expect(await channelsOf(server)).toEqual([]);
  });
});

test('a second subscriber of a known channel costs no command', async () => {
  const { subscriber } = makeSubscriber({ url: server.url });
  await subscriber.subscribe('subscribe', 'a');
  await subscriber.subscribe('subscribe', 'a');
  expect(await callsOf(server, 'subscribe')).toBe(1);
});

test('an unsubscribe() that has nothing to tell the server does not wait for its limit', async () => {
  const { subscriber } = makeSubscriber({ url: server.url, commandTimeoutMs: 60_000 });
  const first = await subscriber.subscribe('subscribe', 'a');
  await subscriber.subscribe('subscribe', 'a');
  await first.unsubscribe();
  const pending = subscriber.subscribe('subscribe', 'b');
  await nextTurn();
  // SUBSCRIBE b is on its way.
  await first.unsubscribe();
  await pending;
});

test('a listener that subscribes or unsubscribes while a message is delivered changes nothing of that delivery', async () => {
  const { subscriber } = makeSubscriber({ url: server.url });
  const got: string[] = [];
  const last = await subscriber.subscribe('subscribe', 'a', (message) => {
    got.push(`first ${message}`);
    void third.unsubscribe();
    if (message === '1') void subscriber.subscribe('subscribe', 'a', (text) => got.push(`late ${text}`));
  });
  await subscriber.subscribe('subscribe', 'a', (message) => got.push(`second ${message}`));
  const third = await subscriber.subscribe('subscribe', 'a', (message) => got.push(`third ${message}`));
  await publish(server, 'a', '1');
  await waitUntil(() => got.length >= 2, { what: 'the first message came' });
  await publish(server, 'a', '2');
  await waitUntil(() => got.includes('late 2'), { what: 'the second message came to the new one too' });
  expect(got).toEqual(['first 1', 'second 1', 'first 2', 'second 2', 'late 2']);
  expect(last.ended).toBe(false);
});

test('the connection is opened by the first subscription, kept for a moment after the last and used again', async () => {
  const { subscriber, host } = makeSubscriber({ url: server.url });
  expect(host.attempts).toBe(0);
  expect(host.places).toBe(1);
  const first = await subscriber.subscribe('subscribe', 'a');
  expect(host.places).toBe(0);
  await first.unsubscribe();
  expect(subscriber.stats().connected).toBe(true);
  let got = '';
  const second = await subscriber.subscribe('subscribe', 'b', (message) => {
    got = message;
  });
  expect(host.attempts).toBe(1);
  await publish(server, 'b', 'again');
  await waitUntil(() => got === 'again', { what: 'the message over the connection that was kept' });
  await second.unsubscribe();
  await waitUntil(() => !subscriber.stats().connected, { what: 'the pause is over' });
  expect(host.places).toBe(1);
  const third = await subscriber.subscribe('subscribe', 'c');
  expect(host.attempts).toBe(2);
  expect(subscriber.stats().reconnects).toBe(0);
  await third.unsubscribe();
});

test('an open subscription keeps the process alive, a connection without one does not', async () => {
  const sockets = () => process.getActiveResourcesInfo().filter((type) => type === 'TCPSocketWrap').length;
  const { subscriber } = makeSubscriber({ url: server.url });
  await server.adminCommand('PING');
  const setTimeouts = vi.spyOn(globalThis, 'setTimeout');
  const before = sockets();
  const first = await subscriber.subscribe('subscribe', 'a');
  expect(sockets()).toBe(before + 1);
  await first.unsubscribe();
  expect(subscriber.stats().connected).toBe(true);
  expect(sockets()).toBe(before);
  const pause = setTimeouts.mock.calls.findIndex(([, delayMs]) => delayMs === 1_000);
  const timer: NodeJS.Timeout | undefined = setTimeouts.mock.results[pause]?.value;
  expect(timer?.hasRef()).toBe(false);
  setTimeouts.mockRestore();
  const second = await subscriber.subscribe('subscribe', 'a');
  expect(sockets()).toBe(before + 1);
  await second.unsubscribe();
});
