import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Message } from '../../src/subscriber/message.js';
import {
  channelsOf,
  codeOf,
  numSub,
  PROTOCOLS,
  patternCount,
  publish,
  shardChannelsOf,
  useSubscribers,
} from './subscriber-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();

beforeAll(async () => {
  server = await startRedis({ args: ['--busy-reply-threshold', '50'] });
});
afterAll(() => server.stop());

describe.each(PROTOCOLS)('with RESP%d', (protocol) => {
  const options = () => ({ url: server.url, redis: { protocol } });

  test('a pattern gets every channel it matches, with pattern and channel', async () => {
    const { subscriber } = makeSubscriber(options());
    const got: unknown[][] = [];
    const listening = await subscriber.subscribe('psubscribe', ['news:*', 'n?ws:a'], (...args) =>
      got.push(args),
    );
    const iterated = await subscriber.subscribe('psubscribe', 'news:*');
    expect(await patternCount(server)).toBe(2);
    await publish(server, 'news:a', '1');
    await publish(server, 'other', '2');
    await publish(server, 'news:b', '3');
    await waitUntil(() => got.length === 3, { what: 'all came' });
    expect(got.sort()).toEqual([
      ['1', 'news:a', 'n?ws:a'],
      ['1', 'news:a', 'news:*'],
      ['3', 'news:b', 'news:*'],
    ]);
    const messages: Message[] = [];
    for await (const message of iterated) if (messages.push(message) === 2) break;
    expect(messages).toEqual([
      { channel: 'news:a', pattern: 'news:*', message: '1' },
      { channel: 'news:b', pattern: 'news:*', message: '3' },
    ]);
    await listening.unsubscribe();
    expect(await patternCount(server)).toBe(0);
  });

  test('a shard channel, a channel and a pattern of the same name are three things', async () => {
    const { subscriber } = makeSubscriber(options());
    const got: string[] = [];
    const shard = await subscriber.subscribe('ssubscribe', 'x', (message) => got.push(`shard ${message}`));
    const channel = await subscriber.subscribe('subscribe', 'x', (message) => got.push(`channel ${message}`));
    const pattern = await subscriber.subscribe('psubscribe', 'x', (message) =>
      got.push(`pattern ${message}`),
    );
    expect([await shardChannelsOf(server), await channelsOf(server), await patternCount(server)]).toEqual([
      ['x'],
      ['x'],
      1,
    ]);
    await publish(server, 'x', '1');
    await server.adminCommand('SPUBLISH', 'x', '2');
    await waitUntil(() => got.length === 3, { what: 'all came' });
    expect(got.sort()).toEqual(['channel 1', 'pattern 1', 'shard 2']);
    await Promise.all([shard.unsubscribe(), channel.unsubscribe(), pattern.unsubscribe()]);
    expect([await shardChannelsOf(server), await channelsOf(server), await patternCount(server)]).toEqual([
      [],
      [],
      0,
    ]);
  });

  // ioredis 6.0.0 leaves subscriber mode when either count is 0, and loses the messages of the other family.
  test.each([
    ['subscribe', 'ssubscribe', 'SPUBLISH'],
    ['psubscribe', 'ssubscribe', 'SPUBLISH'],
    ['ssubscribe', 'subscribe', 'PUBLISH'],
    ['ssubscribe', 'psubscribe', 'PUBLISH'],
  ] as const)(
    'messages of others still come after the last %s ended (%s)',
    async (leaving, staying, command) => {
      const { subscriber } = makeSubscriber(options());
      const got: string[] = [];
      const first = await subscriber.subscribe(leaving, 'left');
      const second = await subscriber.subscribe(staying, 'stays', (message) => got.push(message));
      await first.unsubscribe();
      await server.adminCommand(command, 'stays', '1');
      await waitUntil(() => got.length === 1, { what: 'the message came' });
      // And commands are still answered.
      await (await subscriber.subscribe(leaving, 'back')).unsubscribe();
      await server.adminCommand(command, 'stays', '2');
      await waitUntil(() => got.length === 2, { what: 'the second message came' });
      await second.unsubscribe();
      expect(subscriber.stats().reconnects).toBe(0);
      await subscriber.close(500);
    },
  );

  test('a key prefix goes in front of shard channels only, as in ioredis', async () => {
    const redis = { protocol, keyPrefix: 'app:' };
    const plain = new Redis({ host: server.host, port: server.port, ...redis });
    await Promise.all([plain.subscribe('ch'), plain.ssubscribe('ch'), plain.psubscribe('ch*')]);
    const ofIoredis = [await channelsOf(server), await shardChannelsOf(server)];
    const seenByIoredis: string[] = [];
    plain.on('smessage', (channel: string) => seenByIoredis.push(channel));
    const { subscriber } = makeSubscriber({ url: server.url, redis });
    const seen: string[] = [];
    const shard = await subscriber.subscribe('ssubscribe', 'ch', (_, channel) => seen.push(channel));
    expect(shard.channels).toEqual(['app:ch']);
    await server.adminCommand('SPUBLISH', 'app:ch', '1');
    await waitUntil(() => seen.length === 1 && seenByIoredis.length === 1, { what: 'both got it' });
    expect(seen).toEqual(seenByIoredis);
    plain.disconnect();
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'plain ioredis is gone' });
    await subscriber.subscribe('subscribe', 'ch');
    await subscriber.subscribe('psubscribe', 'ch*');
    expect([await channelsOf(server), await shardChannelsOf(server)]).toEqual(ofIoredis);
  });

  test('a channel that the user may not read rejects its own callers only', async () => {
    await server.adminCommand(
      'ACL',
      'SETUSER',
      'limited',
      'on',
      '>pw',
      '+@all',
      '~*',
      'resetchannels',
      '&free:*',
    );
    const redis = { protocol, username: 'limited', password: 'pw' };
    const { subscriber } = makeSubscriber({ url: server.url, redis });
    const got: string[] = [];
    const outcomes = await Promise.allSettled([
      subscriber.subscribe('subscribe', 'free:a', (message) => got.push(message)),
      subscriber.subscribe('subscribe', ['free:b', 'secret:a']),
      subscriber.subscribe('subscribe', 'free:b', (message) => got.push(message)),
      subscriber.subscribe('subscribe', 'secret:a'),
      subscriber.subscribe('psubscribe', 'secret:*'),
      subscriber.subscribe('ssubscribe', 'secret:s'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'fulfilled'],
      ...['rejected', 'rejected', 'rejected'],
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(String(outcome.reason)).toMatch(/NOPERM/);
      if (outcome.status === 'rejected') expect(outcome.reason.command?.args).toBeUndefined();
    }
    expect(await channelsOf(server)).toEqual(['free:a', 'free:b']);
    await publish(server, 'free:a', '1');
    await publish(server, 'free:b', '1');
    await waitUntil(() => got.length === 2, { what: 'the others get their messages' });
    expect(subscriber.stats()).toMatchObject({ subscriptions: 2, channels: 2, reconnects: 0 });
  });
});

test('a channel that is taken away later ends its subscriptions with the error of the server', async () => {
  await server.adminCommand(
    'ACL',
    'SETUSER',
    'shrinking',
    'on',
    '>pw',
    '+@all',
    '~*',
    'resetchannels',
    '&a',
    '&b',
  );
  const redis = { username: 'shrinking', password: 'pw' };
  const reconnect = { minDelayMs: 1, maxDelayMs: 10 };
  const { subscriber } = makeSubscriber({ url: server.url, redis, reconnect });
  const ends: unknown[] = [];
  const onEnd = (error: unknown): void => {
    ends.push(error);
  };
  const iterated = await subscriber.subscribe('subscribe', 'a', undefined, { onEnd });
  const listening = await subscriber.subscribe('subscribe', ['a', 'b'], () => {}, { onEnd });
  const staying = await subscriber.subscribe('subscribe', 'b', () => {}, { onEnd });
  const loop = (async () => {
    for await (const _ of iterated);
  })();
  // The server itself ends the connections of users who may not listen any more.
  await server.adminCommand('ACL', 'SETUSER', 'shrinking', 'resetchannels', '&b');
  await expect(loop).rejects.toThrow(/NOPERM/);
  await waitUntil(() => staying.gaps === 1, { what: 'the other channel is back' });
  expect([iterated.ended, listening.ended, staying.ended]).toEqual([true, true, false]);
  expect(ends.map(String)).toEqual([expect.stringMatching(/NOPERM/), expect.stringMatching(/NOPERM/)]);
  expect(await numSub(server, 'a', 'b')).toEqual({ a: 0, b: 1 });
});

test('an error reply that passes does not end what was subscribed before a lost connection', async () => {
  let makeBusy = async (): Promise<void> => {};
  const { subscriber } = makeSubscriber({
    url: server.url,
    reconnect: { minDelayMs: 1, maxDelayMs: 10 },
    // After the check that the server works, before anything is subscribed.
    hooks: { connect: () => makeBusy() },
  });
  const got: string[] = [];
  const subscription = await subscriber.subscribe('subscribe', 'a', (message) => got.push(message));
  await server.adminCommand('CONFIG', 'RESETSTAT');
  let busy: Promise<unknown> = Promise.resolve();
  makeBusy = async () => {
    makeBusy = async () => {};
    const admin = new Redis({ host: server.host, port: server.port });
    busy = admin.eval(
      "local t = redis.call('TIME') repeat local n = redis.call('TIME') until n[1] - t[1] >= 2",
      0,
    );
    busy.finally(() => admin.disconnect()).catch(() => {});
    await waitUntil(async () => /BUSY/.test(String(await server.adminCommand('PING').catch(String))), {
      what: 'it is busy',
    });
  };
  await server.adminCommand('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await busy;
  await waitUntil(() => subscription.gaps === 1, { what: 'it is back' });
  expect(subscription.ended).toBe(false);
  // Refused once, with a pause and a new connection instead of more of the same.
  expect(String(await server.adminCommand('INFO', 'commandstats'))).toMatch(
    /cmdstat_subscribe:.*rejected_calls=1,/,
  );
  await publish(server, 'a', '1');
  await waitUntil(() => got.length === 1, { what: 'messages flow' });
});

test('without a free place of maxConnections subscribe() rejects at once, and works when there is one', async () => {
  const { subscriber, host } = makeSubscriber({ url: server.url, maxConnections: 2 }, 0);
  const rejection = expect(subscriber.subscribe('subscribe', 'a')).rejects;
  await rejection.toMatchObject({
    code: 'RP_ERR_QUEUE_FULL',
    retryable: true,
    message: expect.stringContaining('maxConnections 2'),
  });
  expect(subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0 });
  expect(host.attempts).toBe(0);
  host.places = 1;
  await (await subscriber.subscribe('subscribe', 'a')).unsubscribe();
  // As the harness expects it.
  await subscriber.close(500);
  host.places = 0;
});

test('bad arguments throw synchronously and cost nothing', async () => {
  const { subscriber, host } = makeSubscriber({ url: server.url });
  const subscribe = subscriber.subscribe.bind(subscriber) as (...args: unknown[]) => Promise<unknown>;
  expect(() => subscribe('subscribe', [])).toThrow(/"channels".*an empty array/);
  expect(() => subscribe('subscribe', 'a', 'b')).toThrow(/several channels go into one array/);
  expect(() => subscribe('subscribe', 'a', undefined, { bufferSize: 0 })).toThrow(/"bufferSize".*received 0/);
  expect(await codeOf((async () => subscribe('subscribe', 'a', undefined, { sginal: 1 }))())).toBe(
    'RP_ERR_INVALID_OPTION',
  );
  expect(host.attempts).toBe(0);
  expect(subscriber.stats().subscriptions).toBe(0);
});

test('nothing of what was subscribed shows when it is printed', async () => {
  const { inspect } = await import('node:util');
  const { subscriber } = makeSubscriber({ url: server.url });
  const subscription = await subscriber.subscribe('subscribe', 'secret-channel');
  expect(inspect(subscription)).toBe('Subscription { channels: 1, ended: false, dropped: 0, gaps: 0 }');
});
