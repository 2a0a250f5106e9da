import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WriteCoalescer } from './write-coalescer.js';

let server: Server;
let peer: Socket;
let socket: Socket;
let received: Buffer[];

beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  [peer] = (await accepted) as [Socket];
  received = [];
  peer.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('error', () => {});
  peer.on('error', () => {});
});

afterEach(async () => {
  socket.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});

async function receivedBytes(length: number): Promise<Buffer> {
  while (received.reduce((sum, { length: size }) => sum + size, 0) < length) await once(peer, 'data');
  return Buffer.concat(received);
}

describe('WriteCoalescer', () => {
  it('gathers the writes of one turn into one, in order', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 10);
    for (const text of ['a', 'b', 'c']) coalescer.write(text);
    expect(coalescer).toMatchObject({ accepted: 3, flushed: 0, flushes: 0, pending: 3 });
    expect((await receivedBytes(3)).toString()).toBe('abc');
    expect(coalescer).toMatchObject({ accepted: 3, flushed: 3, flushes: 1, pending: 0 });
  });

  it('writes straight through while nothing is unanswered', () => {
    const coalescer = new WriteCoalescer(socket);
    let unanswered = 0;
    coalescer.watch(() => unanswered);
    coalescer.write('x');
    expect(coalescer.flushed).toBe(1);
    unanswered = 1;
    coalescer.write('y');
    expect(coalescer.flushed).toBe(1);
  });

  it('keeps the order of what the owner and others write to the socket', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 10);
    coalescer.write('1');
    socket.write('2');
    coalescer.write(Buffer.from('3'));
    socket.write('4', 'utf8');
    coalescer.write('5');
    expect((await receivedBytes(5)).toString()).toBe('12345');
    expect(coalescer.flushed).toBe(5);
  });

  it('keeps the order of small strings, Buffers and long strings', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 10);
    const long = 'l'.repeat(20_000);
    const pieces = ['a', Buffer.from('b'), 'c', long, 'd', Buffer.alloc(100_000, 'e'), 'é'];
    for (const piece of pieces) coalescer.write(piece);
    const expected = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
    expect((await receivedBytes(expected.length)).equals(expected)).toBe(true);
    expect(coalescer).toMatchObject({ flushed: 7, pending: 0 });
  });

  it('starts to send a growing batch before the turn ends', () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 1000);
    for (let index = 0; index < 100; index += 1) coalescer.write('x'.repeat(100));
    expect(coalescer.flushes).toBeGreaterThan(0);
    expect(coalescer.flushed).toBeLessThan(100);
  });

  it('stops when the socket takes no more, goes on at drain, and loses nothing', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 1000);
    peer.pause();
    const one = 'x'.repeat(10_000);
    const count = 2_000;
    for (let index = 0; index < count; index += 1) coalescer.write(one);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(coalescer.flushed).toBeLessThan(count);
    expect(coalescer.pending).toBeGreaterThan(1_000_000);
    peer.resume();
    expect(await receivedBytes(one.length * count)).toHaveLength(one.length * count);
    expect(coalescer).toMatchObject({ flushed: count, pending: 0 });
  });

  it('sends what is gathered before the end of the connection', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 10);
    coalescer.write('last words');
    socket.end();
    expect((await receivedBytes(10)).toString()).toBe('last words');
  });

  it('counts what a dead socket never took as unsent', async () => {
    const coalescer = new WriteCoalescer(socket);
    coalescer.watch(() => 10);
    coalescer.write('too late');
    socket.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(coalescer).toMatchObject({ accepted: 1, flushed: 0 });
  });
});
