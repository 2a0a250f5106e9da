import { once } from 'node:events';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';

/** An answer that came over a socket. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body, parsed. */
  readonly json: unknown;
}

/** GET over a connection of its own, which is closed afterwards: nothing is left for leak checks to find. */
export async function get(url: string): Promise<HttpAnswer> {
  const outgoing = request(url, { agent: new Agent({ keepAlive: false }) });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of incoming.setEncoding('utf8')) body += chunk;
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body,
    get json() {
      return JSON.parse(body) as unknown;
    },
  };
}

/** A client that may leave at any moment. */
export class Visitor {
  readonly #socket: Socket;
  #received = '';

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    this.#socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.#received += chunk;
    });
    this.#socket.on('error', () => {});
    this.request(url);
  }

  /** Everything that came so far, headers included. */
  get received(): string {
    return this.#received;
  }

  get isClosed(): boolean {
    return this.#socket.closed;
  }

  /** One more request over the same connection. */
  request(url: string): void {
    const { host, pathname, search } = new URL(url);
    this.#socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  }

  /** Calls back with everything that came so far, at each chunk, in the turn in which it came. */
  onData(callback: (received: string) => void): void {
    this.#socket.on('data', () => callback(this.#received));
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}
