import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FaultProxy, type RedisServer, startFaultProxy, startRedis, waitUntil } from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';
import { RawClient } from './raw-client.js';

let server: RedisServer;
let proxy: FaultProxy;
const clients: RawClient[] = [];

useLeakCheck(() => [server]);

beforeAll(async () => {
  server = await startRedis({ unixSocket: true });
});
afterAll(() => server.stop());

beforeEach(async () => {
  if (server.status !== 'running') await server.restart();
  await server.adminCommand('FLUSHALL');
  proxy = await startFaultProxy({ target: server });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await proxy.close();
});

async function open(): Promise<RawClient> {
  const client = await RawClient.open(proxy.port);
  clients.push(client);
  return client;
}

/** A client that did a round trip: the proxy has its connection to the server. */
async function openAndPing(): Promise<RawClient> {
  const client = await open();
  await client.ask('PING', '+PONG\r\n');
  client.chunks.length = 0;
  return client;
}

const stored = (key: string) => server.adminCommand('GET', key);
const untilValue = (key: string, value: string) =>
  waitUntil(async () => (await stored(key)) === value, { what: `${key} is ${value}` });

/** Time enough for anything that was not held back to have arrived: many round trips on another connection. */
async function manyRoundTrips(): Promise<void> {
  for (let count = 0; count < 50; count++) await server.adminCommand('PING');
}

describe('without faults', () => {
  test('it forwards both ways and counts', async () => {
    const client = await open();
    await client.ask('PING', '+PONG\r\n');
    expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`);
    expect(proxy.bytesToServer).toBe('PING\r\n'.length);
    expect(proxy.bytesToClient).toBe('+PONG\r\n'.length);
    expect(proxy.bytesDropped).toBe(0);
    expect(proxy.connectionCount).toBe(1);
    expect(await server.clients()).toHaveLength(1);
    client.close();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the proxy has noticed the end' });
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has, too' });
    expect(proxy.acceptedCount).toBe(1);
  });

  test('fifty thousand commands arrive complete and in order', async () => {
    const redis = new Redis(proxy.url, { retryStrategy: null });
    for (let batch = 0; batch < 2; batch++) {
      const pipeline = redis.pipeline();
      for (let count = 0; count < 25_000; count++) pipeline.incr('counter');
      const replies = (await pipeline.exec()) ?? [];
      const expected = Array.from({ length: 25_000 }, (_, index) => batch * 25_000 + index + 1);
      expect(replies.map(([, value]) => value)).toEqual(expected);
    }
    redis.stream.destroy();
  });

  test('a value of 32 MiB passes through a reader that is slower than the server', async () => {
    await server.adminCommand('SETRANGE', 'big', 32 * 1024 * 1024 - 1, 'x');
    const client = await open();
    client.socket.pause();
    client.send('GET big\r\n');
    await waitUntil(() => proxy.bytesToClient > 0, { what: 'the value is on its way' });
    await manyRoundTrips();
    expect(proxy.bytesToClient).toBeLessThan(32 * 1024 * 1024);
    client.socket.resume();
    const header = `$${32 * 1024 * 1024}\r\n`;
    const length = header.length + 32 * 1024 * 1024 + 2;
    await waitUntil(() => client.receivedBytes === length, { what: 'all of it has arrived' });
  });

  test('it forwards to a unix socket', async () => {
    const other = await startFaultProxy({ target: { path: server.socketPath ?? '' } });
    const client = await RawClient.open(other.port);
    await client.ask('PING', '+PONG\r\n');
    client.socket.resetAndDestroy();
    await waitUntil(() => other.connectionCount === 0, { what: 'the proxy has noticed the reset' });
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has, too' });
    await other.close();
  });

  test('the end of the server is the end of its clients, and a dead server resets new ones', async () => {
    const client = await openAndPing();
    await server.kill();
    await client.untilEnding('FIN');
    await new RawClient(proxy.port).untilEnding('ECONNRESET');
    await server.restart();
    await openAndPing();
  });

  test('close() ends all connections, and twice is fine', async () => {
    const client = await openAndPing();
    await Promise.all([proxy.close(), proxy.close()]);
    await client.untilEnding('ECONNRESET');
    expect(proxy.connectionCount).toBe(0);
    await expect(proxy.accept()).rejects.toThrow('is closed');
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has no client' });
  });
});

describe('slow and in pieces', () => {
  test('delay holds every byte back for its time, both ways', async () => {
    const client = await openAndPing();
    proxy.delay({ ms: 60 });
    const start = performance.now();
    await client.ask('PING', '+PONG\r\n');
    expect(performance.now() - start).toBeGreaterThanOrEqual(119);
  });

  test('delay in one direction, and no longer after it is healed', async () => {
    const client = await openAndPing();
    proxy.delay({ ms: 60_000, direction: 'toClient' });
    client.send('INCR counter\r\n');
    await untilValue('counter', '1');
    expect(client.received).toBe('');
    await proxy.heal();
    await client.untilReceived(':1\r\n');
    await client.ask('PING', '+PONG\r\n');
  });

  test('delay with jitter keeps the order', async () => {
    const client = await openAndPing();
    proxy.delay({ ms: 0, jitterMs: 20 });
    const replies = Array.from({ length: 30 }, (_, index) => `:${index + 1}\r\n`);
    for (const _ of replies) {
      client.send('INCR counter\r\n');
      await new Promise(setImmediate);
    }
    await client.untilReceived(replies.join(''));
  });

  test('a client that leaves is noticed behind its delayed bytes', async () => {
    const client = await openAndPing();
    proxy.delay({ ms: 50 });
    client.send('INCR counter\r\n');
    client.close();
    await untilValue('counter', '1');
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has no client' });
  });

  test('split forwards in pieces', async () => {
    const client = await openAndPing();
    proxy.split({ maxBytes: 1 });
    const reply = `$200\r\n${'x'.repeat(200)}\r\n`;
    await client.ask(`ECHO ${'x'.repeat(200)}`, reply);
    expect(client.chunks.length).toBeGreaterThan(reply.length / 2);
    expect(() => proxy.split({ maxBytes: 0 })).toThrow('maxBytes must be 1 or more');
  });

  test('faults add up', async () => {
    proxy.delay({ ms: 30, direction: 'toServer' });
    proxy.split({ maxBytes: 2 });
    const client = await open();
    const start = performance.now();
    await client.ask('PING', '+PONG\r\n');
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    expect(client.chunks.length).toBeGreaterThan(1);
  });
});

describe('lost bytes', () => {
  test('drop to the server: nothing is executed', async () => {
    const client = await openAndPing();
    proxy.drop('toServer');
    client.send('INCR counter\r\n');
    await waitUntil(() => proxy.bytesDropped === 'INCR counter\r\n'.length, { what: 'the command is lost' });
    await manyRoundTrips();
    expect(await stored('counter')).toBeNull();
    await proxy.heal();
    await client.untilEnding('ECONNRESET');
  });

  test('swallowReplies: executed, and the reply vanishes', async () => {
    const client = await openAndPing();
    proxy.swallowReplies();
    client.send('INCR counter\r\n');
    await waitUntil(() => proxy.bytesDropped === ':1\r\n'.length, { what: 'the reply is lost' });
    expect(await stored('counter')).toBe('1');
    expect(client.received).toBe('');
    expect(client.ending).toBe('none');
  });

  test('swallowReplies acts on new connections too, and lets a client leave', async () => {
    proxy.swallowReplies();
    const client = await open();
    client.send('INCR counter\r\n');
    await waitUntil(() => proxy.bytesDropped > 0, { what: 'the reply is lost' });
    client.close();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has no client' });
  });

  test('a connection that lost nothing while bytes were dropped survives healing', async () => {
    const [talking, silent] = [await openAndPing(), await openAndPing()];
    proxy.swallowReplies();
    talking.send('PING\r\n');
    await waitUntil(() => proxy.bytesDropped > 0, { what: 'the reply is lost' });
    await proxy.heal();
    await talking.untilEnding('ECONNRESET');
    await silent.ask('PING', '+PONG\r\n');
  });

  test('swallowRepliesThenReset: executed, reset, and the client can come back', async () => {
    const client = await openAndPing();
    proxy.swallowRepliesThenReset();
    client.send('INCR counter\r\n');
    await client.untilEnding('ECONNRESET');
    expect(client.received).toBe('');
    expect(await stored('counter')).toBe('1');
    const next = await open();
    await next.ask('INCR counter', ':2\r\n');
  });

  test('swallowRepliesThenReset waits for as many bytes as it is told', async () => {
    const client = await openAndPing();
    proxy.swallowRepliesThenReset({ afterBytes: 8 });
    client.send('INCR counter\r\n');
    await waitUntil(() => proxy.bytesDropped === 4, { what: 'the first reply is lost' });
    expect(client.ending).toBe('none');
    client.send('INCR counter\r\n');
    await client.untilEnding('ECONNRESET');
    expect(await stored('counter')).toBe('2');
  });

  test('a client of ioredis sees the lost reply as a lost connection', async () => {
    const redis = new Redis(proxy.url, { retryStrategy: null, autoResendUnfulfilledCommands: false });
    redis.on('error', () => {});
    await redis.ping();
    proxy.swallowRepliesThenReset();
    await expect(redis.incr('counter')).rejects.toThrow();
    expect(await stored('counter')).toBe('1');
  });
});

describe('resets and refusals', () => {
  test('reset ends open connections only', async () => {
    const client = await openAndPing();
    proxy.reset();
    await client.untilEnding('ECONNRESET');
    await openAndPing();
    expect(proxy.acceptedCount).toBe(2);
  });

  test('refuse stops listening, accept listens again on the same port; open connections go on', async () => {
    const client = await openAndPing();
    proxy.refuse();
    const refused = new RawClient(proxy.port);
    await refused.untilEnding('ECONNREFUSED');
    await client.ask('PING', '+PONG\r\n');
    await proxy.accept();
    await openAndPing();
    expect(proxy.acceptedCount).toBe(2);
  });

  test('heal accepts again, and refusing or accepting twice is fine', async () => {
    proxy.refuse();
    proxy.refuse();
    await Promise.all([proxy.heal(), proxy.accept()]);
    await openAndPing();
  });

  test('acceptAndReset accepts and resets, also after refuse', async () => {
    const client = await openAndPing();
    proxy.refuse();
    await proxy.acceptAndReset();
    await new RawClient(proxy.port).untilEnding('ECONNRESET');
    expect(proxy.acceptedCount).toBe(2);
    await client.ask('PING', '+PONG\r\n');
    expect(await server.clients()).toHaveLength(1);
    await proxy.heal();
    await openAndPing();
  });

  test('halfClose: the client reads the end and can still send', async () => {
    const client = await openAndPing();
    proxy.halfClose();
    await client.untilEnding('FIN');
    client.send('INCR counter\r\n');
    await untilValue('counter', '1');
    expect(client.received).toBe('');
    await proxy.heal();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the half connection is gone' });
  });

  // Was: libuv refused the reset (EINVAL) and Node never closed the socket.
  test('a connection can be reset while its half-close is under way', async () => {
    await openAndPing();
    proxy.halfClose();
    proxy.reset();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the connection is gone' });
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has no client' });
  });
});

describe('silence', () => {
  test('acceptAndSilence: connected, never answered, unknown to the server, and nothing is lost', async () => {
    const early = await openAndPing();
    await proxy.acceptAndSilence();
    const client = await open();
    client.send('INCR counter\r\n');
    await manyRoundTrips();
    expect(client.received).toBe('');
    expect(await server.clients()).toHaveLength(1);
    await early.ask('PING', '+PONG\r\n');
    await proxy.heal();
    await client.untilReceived(':1\r\n');
  });

  test('a client that left in the silence never reaches the server', async () => {
    await proxy.acceptAndSilence();
    const client = await open();
    client.send('INCR counter\r\n');
    client.close();
    await manyRoundTrips();
    await proxy.heal();
    await waitUntil(() => proxy.connectionCount === 0, { what: 'the proxy has no connection' });
    expect(await stored('counter')).toBeNull();
  });

  test('stallAfter to the client: the rest of a reply comes when it is healed', async () => {
    const client = await openAndPing();
    proxy.stallAfter(3, 'toClient');
    client.send('PING\r\nPING\r\n');
    await client.untilReceived('+PO');
    await manyRoundTrips();
    expect(client.received).toBe('+PO');
    await proxy.heal();
    await client.untilReceived('+PONG\r\n+PONG\r\n');
  });

  test('stallAfter to the server: half a command is no command', async () => {
    proxy.stallAfter('INCR counter\r'.length, 'toServer');
    const client = await open();
    client.send('INCR counter\r\n');
    await waitUntil(() => proxy.bytesToServer === 'INCR counter\r'.length, { what: 'the stall is reached' });
    await manyRoundTrips();
    expect(await stored('counter')).toBeNull();
    await proxy.heal();
    await client.untilReceived(':1\r\n');
  });

  test('blackHole: open and new connections go silent and come back with nothing lost', async () => {
    const early = await openAndPing();
    proxy.blackHole();
    const late = await open();
    early.send('INCR early\r\n');
    late.send('INCR late\r\n');
    await manyRoundTrips();
    expect(await server.adminCommand('DBSIZE')).toBe(0);
    expect([early.received, late.received]).toEqual(['', '']);
    await proxy.heal();
    await early.untilReceived(':1\r\n');
    await late.untilReceived(':1\r\n');
  });

  test('blackHole: a sender meets a full window, and the server does not see a client leave', async () => {
    const client = await openAndPing();
    proxy.blackHole();
    client.send(`*2\r\n$4\r\nPING\r\n$${16 * 1024 * 1024}\r\n`);
    client.send(Buffer.alloc(16 * 1024 * 1024, 'x'));
    client.send('\r\n');
    await manyRoundTrips();
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(await server.clients()).toHaveLength(1);
    await proxy.heal();
    await waitUntil(() => client.receivedBytes > 16 * 1024 * 1024, { what: 'the long PING is answered' });
    await client.ask('PING', '+PONG\r\n');
    proxy.blackHole();
    client.close();
    await manyRoundTrips();
    expect(await server.clients()).toHaveLength(1);
    await proxy.heal();
    await waitUntil(async () => (await server.clients()).length === 0, { what: 'the server has no client' });
  });
});

describe('garbage', () => {
  test('bytes that the server never sent reach the client', async () => {
    const client = await openAndPing();
    proxy.garbage(Uint8Array.of(0x00, 0xff));
    proxy.garbage('!');
    await client.untilReceived('\x00\xff!');
  });

  test('a client of ioredis gives the connection up', async () => {
    const redis = new Redis(proxy.url, { retryStrategy: null, autoResendUnfulfilledCommands: false });
    redis.on('error', () => {});
    await redis.ping();
    proxy.swallowReplies();
    const reply = redis.get('key');
    proxy.garbage('\x00not redis\r\n');
    await expect(reply).rejects.toThrow();
  });
});
