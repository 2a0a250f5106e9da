import { connect, type Socket } from 'node:net';
import { waitUntil } from '../src/index.js';

/** A socket that remembers all that happens to it. It keeps its own side open when the other side ends. */
export class RawClient {
  readonly socket: Socket;
  readonly chunks: string[] = [];
  /** What came from the other side last: its FIN, or the code of the error. */
  ending: 'none' | 'FIN' | string = 'none';
  isConnected = false;
  receivedBytes = 0;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.socket.on('connect', () => {
      this.isConnected = true;
    });
    this.socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.chunks.push(chunk.toString('latin1'));
    });
    this.socket.on('end', () => {
      this.ending = 'FIN';
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ending = error.code ?? error.message;
    });
  }

  static async open(port: number): Promise<RawClient> {
    const client = new RawClient(port);
    await waitUntil(() => client.isConnected, { what: 'the raw client is connected' });
    return client;
  }

  get received(): string {
    return this.chunks.join('');
  }

  send(text: string | Buffer): void {
    this.socket.write(text);
  }

  async untilReceived(text: string): Promise<void> {
    await waitUntil(() => this.received === text, { what: `exactly ${JSON.stringify(text)} is received` });
  }

  async untilEnding(ending: string): Promise<void> {
    await waitUntil(() => this.ending === ending, { what: `the connection ends with ${ending}` });
  }

  /** Sends one inline command and waits until exactly this reply has come. */
  async ask(command: string, reply: string): Promise<void> {
    this.chunks.length = 0;
    this.send(`${command}\r\n`);
    await this.untilReceived(reply);
  }

  close(): void {
    this.socket.destroy();
  }
}
