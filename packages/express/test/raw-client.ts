import { connect, type Socket } from 'node:net';
import { waitUntil } from '@redis-pool/testkit';

/** A client that keeps its connection, and may send several requests before it has an answer. */
export class RawClient {
  readonly #socket: Socket;
  #received = '';

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    this.#socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#received += chunk;
    });
    this.#socket.on('error', () => {});
  }

  /** Everything that came so far, headers included. */
  get received(): string {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(...paths: readonly string[]): void {
    for (const path of paths) this.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  async until(text: string): Promise<void> {
    await waitUntil(() => this.#received.includes(text), { what: `${JSON.stringify(text)} has come` });
  }

  async untilClosed(): Promise<void> {
    await waitUntil(() => this.isClosed, { what: 'the connection is closed' });
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}
