import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Peer, PeerClient } from './peer.js';
import { ReplyParser } from './reply-parser.js';
import { requireTcp } from './require-tcp.js';

/**
 * The limit: a socket, one write per tick, a queue of promises and a minimal parser. It cannot reconnect, time
 * out, authenticate or report a lost connection; what a library costs is its distance from this.
 */
export const bareSocket: Peer = {
  id: 'bare-socket',
  async connect(target) {
    const { host, port } = requireTcp(target);
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new BareClient(socket);
  },
};

interface Waiter {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

class BareClient implements PeerClient {
  readonly #socket: Socket;
  #waiters: Waiter[] = [];
  #answered = 0;
  #out = '';

  constructor(socket: Socket) {
    const parser = new ReplyParser((reply) => this.#settle(reply));
    socket.on('data', (chunk: Buffer) => parser.write(chunk));
    this.#socket = socket;
  }

  get(key: string): Promise<unknown> {
    return this.#send(`*2\r\n$3\r\nGET\r\n${bulk(key)}`);
  }

  set(key: string, value: string): Promise<unknown> {
    return this.#send(`*3\r\n$3\r\nSET\r\n${bulk(key)}${bulk(value)}`);
  }

  mget(keys: string[]): Promise<unknown> {
    let text = `*${keys.length + 1}\r\n$4\r\nMGET\r\n`;
    for (const key of keys) text += bulk(key);
    return this.#send(text);
  }

  async hgetall(key: string): Promise<unknown> {
    return asObject((await this.#send(`*2\r\n$7\r\nHGETALL\r\n${bulk(key)}`)) as string[]);
  }

  async close(): Promise<void> {
    this.#socket.end();
    await once(this.#socket, 'close');
  }

  #send(text: string): Promise<unknown> {
    if (this.#out === '') process.nextTick(this.#flush);
    this.#out += text;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  readonly #flush = (): void => {
    const out = this.#out;
    this.#out = '';
    this.#socket.write(out);
  };

  #settle(reply: unknown): void {
    const waiter = this.#waiters[this.#answered] as Waiter;
    this.#answered += 1;
    if (this.#answered === 4_096) {
      this.#waiters = this.#waiters.slice(4_096);
      this.#answered = 0;
    }
    if (reply instanceof Error) waiter.reject(reply);
    else waiter.resolve(reply);
  }
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function asObject(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) {
    fields[flat[index] as string] = flat[index + 1] as string;
  }
  return fields;
}
