import { connect, type Socket } from 'node:net';

const HEADER_END = '\r\n\r\n';
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** One keep-alive connection that asks the same again as soon as it is answered. */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #request: string;
  readonly #onAnswer: (ms: number) => boolean;
  #received = '';
  #askedAt = 0;
  readonly closed: Promise<void>;

  /** `onAnswer` gets the time of each answer and says whether to ask again. */
  constructor({ port, path }: { port: number; path: string }, onAnswer: (ms: number) => boolean) {
    this.#request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: keep-alive\r\n\r\n`;
    this.#onAnswer = onAnswer;
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => this.#ask());
    this.#socket.setEncoding('latin1');
    this.closed = new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.once('close', () => resolve());
    });
    this.#socket.on('data', (text: string) => this.#receive(text));
  }

  #ask(): void {
    this.#askedAt = performance.now();
    this.#socket.write(this.#request);
  }

  #receive(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const bodyAt = this.#received.indexOf(HEADER_END) + HEADER_END.length;
    if (bodyAt < HEADER_END.length) return;
    const length = Number(CONTENT_LENGTH.exec(this.#received)?.[1]);
    if (this.#received.length < bodyAt + length) return;
    if (!this.#received.startsWith('HTTP/1.1 200 ')) {
      this.#socket.destroy(new Error(`The server answered ${this.#received}`));
      return;
    }
    this.#received = '';
    if (this.#onAnswer(performance.now() - this.#askedAt)) this.#ask();
    else this.#socket.end();
  }
}
