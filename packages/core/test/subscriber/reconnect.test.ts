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
  callsOf,
  channelsOf,
  codeOf,
  numSub,
  PROTOCOLS,
  patternCount,
  publish,
  recordingLogger,
  shardChannelsOf,
  type TestSubscriber,
  useSubscribers,
} from './subscriber-harness.js';

let server: RedisServer;
let proxy: FaultProxy;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();
const reconnect = { minDelayMs: 1, maxDelayMs: 20 };

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  if (server.status !== 'running') await server.restart();
  await proxy.close();
});

/** Subscribes one of each kind, which note what they get, gaps included. */
async function subscribeAll({ subscriber }: TestSubscriber, got: string[]) {
  const options = { onGap: () => got.push('gap') };
  const note = (message: string) => got.push(message);
  return Promise.all([
    subscriber.subscribe('subscribe', ['a', 'b'], note, options),
    subscriber.subscribe('psubscribe', 'p*', note, options),
    subscriber.subscribe('ssubscribe', 's', note, options),
  ]);
}

async function publishAll(text: string): Promise<void> {
  await publish(server, 'a', text);
  await publish(server, 'pattern', text);
  await server.adminCommand('SPUBLISH', 's', text);
}

const FAULTS: [name: string, cut: () => unknown][] = [
  ['a reset', () => proxy.reset()],
  ['CLIENT KILL', () => server.adminCommand('CLIENT', 'KILL', 'TYPE', 'pubsub')],
  ['a half-closed connection', () => proxy.halfClose()],
  ['garbage instead of a reply', () => proxy.garbage('@garbage\r\n')],
  [
    'a server that crashes and comes back',
    async () => {
      await server.kill();
      await server.restart();
    },
  ],
];

describe.each(PROTOCOLS)('with RESP%d after', (protocol) => {
  test.each(FAULTS)(
    '%s everything is subscribed again, then the gap is told, then messages flow',
    async (_, cut) => {
      const made = makeSubscriber({ url: proxy.url, reconnect, redis: { protocol } });
      const got: string[] = [];
      const subscriptions = await subscribeAll(made, got);
      await publishAll('before');
      await waitUntil(() => got.length === 3, { what: 'messages flow' });
      await cut();
      await waitUntil(() => got.length === 6, { what: 'the gap is told to all' });
      expect(await channelsOf(server)).toEqual(['a', 'b']);
      expect(await shardChannelsOf(server)).toEqual(['s']);
      expect(await patternCount(server)).toBe(1);
      await publishAll('after');
      await waitUntil(() => got.length === 9, { what: 'messages flow again' });
      expect(got).toEqual([
        ...['before', 'before', 'before'],
        ...['gap', 'gap', 'gap'],
        ...['after', 'after', 'after'],
      ]);
      expect(subscriptions.map(({ gaps }) => gaps)).toEqual([1, 1, 1]);
      expect(made.subscriber.stats()).toMatchObject({
        gaps: 3,
        reconnects: 1,
        connected: true,
        subscriptions: 3,
      });
    },
  );
});

test('a thousand channels are subscribed again in one write', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const names = Array.from({ length: 1_000 }, (_, index) => `many:${index}`);
  const subscriptions = await Promise.all(
    names.map((name) => made.subscriber.subscribe('subscribe', name, () => {})),
  );
  await server.adminCommand('CONFIG', 'RESETSTAT');
  proxy.reset();
  await waitUntil(() => subscriptions.every(({ gaps }) => gaps === 1), { what: 'all are back' });
  expect(await callsOf(server, 'subscribe')).toBe(1);
  expect((await channelsOf(server)).length).toBe(1_000);
});

test('a message that comes together with the confirmation is delivered after the gap', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const got: string[] = [];
  await made.subscriber.subscribe('subscribe', 'a', (message) => got.push(message), {
    onGap: () => got.push('gap'),
  });
  const held = holdAfterHandshake(made);
  proxy.reset();
  await held;
  await waitUntil(async () => (await numSub(server, 'a')).a === 1, {
    what: 'the server has subscribed it again',
  });
  await publish(server, 'a', 'new');
  expect(got).toEqual([]);
  await proxy.heal();
  await waitUntil(() => got.length === 2, { what: 'both came' });
  expect(got).toEqual(['gap', 'new']);
});

/** Holds back what the server sends from the moment the next connection is handed over. */
async function holdAfterHandshake({ host }: TestSubscriber): Promise<void> {
  const { open } = host;
  await new Promise<void>((resolve) => {
    host.open = async (signal) => {
      const connection = await open.call(host, signal);
      host.open = open;
      proxy.stallAfter(0, 'toClient');
      resolve();
      return connection;
    };
  });
}

test('losing the connection several times before it is subscribed again is one gap', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const subscription = await made.subscriber.subscribe('subscribe', 'a', () => {});
  await proxy.acceptAndReset();
  proxy.reset();
  const { attempts } = made.host;
  await waitUntil(() => made.host.attempts > attempts + 5, { what: 'several attempts failed' });
  expect(subscription.gaps).toBe(0);
  await proxy.heal();
  await waitUntil(() => subscription.gaps > 0, { what: 'it is back' });
  expect(subscription.gaps).toBe(1);
  expect(made.subscriber.stats().reconnects).toBe(1);
});

test('a subscribe() during an outage waits for the connection, and knows no gap', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const old = await made.subscriber.subscribe('subscribe', 'a', () => {});
  proxy.refuse();
  proxy.reset();
  await waitUntil(() => !made.subscriber.stats().connected, { what: 'the connection is lost' });
  const got: string[] = [];
  const pending = made.subscriber.subscribe('subscribe', ['a', 'b'], (message, channel) =>
    got.push(channel + message),
  );
  await proxy.accept();
  const young = await pending;
  await publish(server, 'b', '1');
  await waitUntil(() => got.length === 1, { what: 'it gets messages' });
  await waitUntil(() => old.gaps === 1, { what: 'the old one is told' });
  expect(young.gaps).toBe(0);
});

test('a subscribe() whose confirmation is lost with the connection is confirmed over the next one', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  await made.subscriber.subscribe('subscribe', 'a', () => {});
  proxy.swallowReplies();
  const pending = made.subscriber.subscribe('subscribe', 'b');
  await waitUntil(async () => (await numSub(server, 'b')).b === 1, { what: 'the server has subscribed it' });
  await proxy.heal();
  const subscription = await pending;
  expect(subscription.gaps).toBe(0);
  expect(await channelsOf(server)).toEqual(['a', 'b']);
});

test('who unsubscribes during an outage is not subscribed again, and the last one ends the attempts', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const [first, second] = await Promise.all([
    made.subscriber.subscribe('subscribe', 'a'),
    made.subscriber.subscribe('subscribe', 'b'),
  ]);
  proxy.refuse();
  proxy.reset();
  await waitUntil(() => !made.subscriber.stats().connected, { what: 'the connection is lost' });
  await first.unsubscribe();
  await proxy.accept();
  await waitUntil(() => second.gaps === 1, { what: 'the other one is back' });
  expect(await channelsOf(server)).toEqual(['b']);
  proxy.refuse();
  proxy.reset();
  await waitUntil(() => !made.subscriber.stats().connected, { what: 'the connection is lost again' });
  await second.unsubscribe();
  await waitUntil(() => made.host.places === 1, { what: 'the place is free' });
  expect(made.subscriber.stats()).toMatchObject({ subscriptions: 0, channels: 0 });
});

test('a subscribe() in the moment in which the socket closes is confirmed over the next connection', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const first = await made.subscriber.subscribe('subscribe', 'a');
  const second = new Promise((resolve) => {
    made.host.connections[0]?.socket.once('close', () =>
      resolve(made.subscriber.subscribe('subscribe', 'b')),
    );
  });
  proxy.reset();
  await second;
  await waitUntil(() => first.gaps === 1, { what: 'the first one is back too' });
  expect(await channelsOf(server)).toEqual(['a', 'b']);
});

test('an unsubscribe() whose answer is lost with the connection resolves then, and not at its limit', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect, commandTimeoutMs: 60_000 });
  const first = await made.subscriber.subscribe('subscribe', 'a');
  await made.subscriber.subscribe('subscribe', 'b');
  proxy.swallowReplies();
  const left = first.unsubscribe();
  await waitUntil(async () => (await numSub(server, 'a')).a === 0, { what: 'the server did it' });
  await proxy.heal();
  await left;
});

test('what waits for a slow iterator survives a lost connection', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const subscription = await made.subscriber.subscribe('subscribe', 'a');
  const iterator = subscription[Symbol.asyncIterator]();
  await publish(server, 'a', 'before');
  await waitUntil(() => made.subscriber.stats().messages === 1, { what: 'it came' });
  proxy.reset();
  await waitUntil(() => subscription.gaps === 1, { what: 'it is back' });
  await publish(server, 'a', 'after');
  expect((await iterator.next()).value?.message).toBe('before');
  expect((await iterator.next()).value?.message).toBe('after');
});

test('an onGap that throws or unsubscribes stops nobody', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const throwing = await made.subscriber.subscribe('subscribe', 'a', () => {}, {
    onGap: () => {
      throw new Error('on purpose');
    },
  });
  const got: string[] = [];
  const leaving = await made.subscriber.subscribe('subscribe', 'a', (message) => got.push(message), {
    onGap: () => void leaving.unsubscribe(),
  });
  const other = await made.subscriber.subscribe('subscribe', 'a', () => {});
  proxy.reset();
  await waitUntil(() => other.gaps === 1, { what: 'the last one is told' });
  expect([throwing.gaps, leaving.gaps]).toEqual([1, 1]);
  expect([throwing.ended, leaving.ended]).toEqual([false, true]);
  expect(made.subscriber.stats().listenerErrors).toBe(1);
});

test('attempts come one at a time, with pauses that grow, and are logged once', async () => {
  const logger = recordingLogger();
  const made = makeSubscriber({ url: proxy.url, reconnect: { minDelayMs: 10, maxDelayMs: 100 }, logger });
  const subscription = await made.subscriber.subscribe('subscribe', 'a', () => {});
  await proxy.acceptAndReset();
  const startedAt = performance.now();
  proxy.reset();
  await waitUntil(() => made.host.attempts >= 9, { what: 'eight attempts failed' });
  // At least the shortest pauses: 0 for the first one, 10 ms for each other.
  expect(performance.now() - startedAt).toBeGreaterThan(70);
  expect(made.host.mostDialling).toBe(1);
  await proxy.heal();
  await waitUntil(() => subscription.gaps === 1, { what: 'it is back' });
  const lines = logger.lines.map(({ level, message }) => `${level}: ${message}`);
  expect(lines).toEqual([
    expect.stringMatching(/^info: .*is connected to/),
    expect.stringMatching(/^warn: .*lost its connection to/),
    expect.stringMatching(/^warn: .*could not connect/),
    expect.stringMatching(/^info: .*is connected to .* again after \d+ ms and \d+ failed attempts/),
  ]);
});

test('a server that kills every subscriber is not dialled without pause', async () => {
  const made = makeSubscriber({
    url: proxy.url,
    reconnect: { minDelayMs: 20, maxDelayMs: 1_000 },
    commandTimeoutMs: 400,
  });
  const { open } = made.host;
  // The handshake works; what is sent after it ends the connection.
  made.host.open = async (signal) => {
    const connection = await open.call(made.host, signal);
    connection.redis.subscribe = () => {
      connection.socket.destroy();
      return Promise.reject(new Error('Connection is closed.'));
    };
    return connection;
  };
  expect(await codeOf(made.subscriber.subscribe('subscribe', 'a'))).toBe('RP_ERR_UNAVAILABLE');
  // 20, 40, 80, 160 ... ms at most; at least 20 each.
  expect(made.host.attempts).toBeLessThan(15);
  expect(made.host.attempts).toBeGreaterThan(1);
});

test('an unanswered subscription ends the connection, so that a silent one is replaced', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect, commandTimeoutMs: 200, connectTimeoutMs: 300 });
  const got: string[] = [];
  const subscription = await made.subscriber.subscribe('subscribe', 'a', (message) => got.push(message));
  proxy.swallowReplies();
  expect(await codeOf(made.subscriber.subscribe('subscribe', 'b'))).toBe('RP_ERR_COMMAND_TIMEOUT');
  await waitUntil(() => !made.subscriber.stats().connected, { what: 'the silent connection is given up' });
  await proxy.heal();
  await waitUntil(() => subscription.gaps === 1, { what: 'it is back' });
  await publish(server, 'a', 'x');
  await waitUntil(() => got.length === 1, { what: 'messages flow' });
  expect(await channelsOf(server)).toEqual(['a']);
});

test('a refused password is asked for rarely, by new subscriptions too', async () => {
  await server.adminCommand('CONFIG', 'SET', 'requirepass', 'secret');
  try {
    const made = makeSubscriber({
      url: server.url,
      redis: { password: 'wrong' },
      reconnect,
      commandTimeoutMs: 100,
    });
    for (let round = 0; round < 3; round += 1) {
      const error = made.subscriber.subscribe('subscribe', 'a');
      await expect(error).rejects.toMatchObject({
        code: 'RP_ERR_UNAVAILABLE',
        cause: { code: 'RP_ERR_AUTH' },
      });
    }
    expect(made.host.attempts).toBe(1);
    expect(made.host.places).toBe(1);
  } finally {
    await server.adminCommand('CONFIG', 'SET', 'requirepass', '');
  }
});

test('a connection that is lost while nobody is subscribed is not replaced', async () => {
  const made = makeSubscriber({ url: proxy.url, reconnect });
  const subscription = await made.subscriber.subscribe('subscribe', 'a');
  await subscription.unsubscribe();
  proxy.reset();
  await waitUntil(() => made.host.places === 1, { what: 'the place is free' });
  expect(made.host.attempts).toBe(1);
  expect(made.subscriber.stats()).toMatchObject({ connected: false, reconnects: 0 });
});
