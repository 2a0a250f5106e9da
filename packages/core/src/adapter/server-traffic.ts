import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import onHeaders from 'on-headers';
import { Crowd } from './crowd.js';

/** A server of `node:http`, `node:https` or `node:http2`. */
export interface ClosableServer extends Server {
  closeIdleConnections?(): void;
}

/** How long a connection without a byte, such as browsers open in reserve, may hold the end of a server up. */
const SILENCE_MS = 1_000;

/**
 * How long kept connections are left open while nothing is asked on them. Closed at once, they would take requests
 * with them that are on their way, of clients that ask one after the other.
 */
const LINGER_MS = 100;

/**
 * The connections and requests of a server, so that it can end as soon as the last request has its answer.
 *
 * Node's own `close()` does most of it, but lets clients that keep their connection send requests for ever, knows
 * nothing of upgraded connections, and cuts answers that are finished and not sent yet. Of the libraries for this
 * those in care (close-with-grace, terminus, http-graceful-shutdown) call `process.exit()`; stoppable and
 * http-terminator cut pipelined or late answers, and have had no care for years.
 */
export class ServerTraffic {
  readonly #server: ClosableServer;
  readonly #sockets = new Crowd<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Answers that are still to come, in the order of their requests. */
  readonly #answers = new Crowd<ServerResponse>();
  /** Of each connection the answer that came last; only while the server ends. */
  #newest: WeakMap<Socket, ServerResponse> | undefined;
  #silence: NodeJS.Timeout | undefined;
  /** Whether idle connections are left open for a moment. */
  #isLingering = false;

  constructor(server: ClosableServer) {
    this.#server = server;
    server.on('connection', this.#onSocket);
    server.on('secureConnection', this.#onSocket);
    server.on('session', this.#onSession);
    // Before the application answers it.
    server.prependListener('request', this.#onRequest);
  }

  /** Takes no connection any more, and lets go those that exist as their requests have been answered. */
  async stop(): Promise<void> {
    // First: a client that is told to go would come back at once, and stand in the queue that ends here.
    this.#stopListening();
    this.#newest = new WeakMap();
    for (const answer of this.#answers) this.#endAfter(answer);
    for (const session of this.#sessions) session.close();
    await this.#linger();
    this.#sweep();
    this.#silence = setTimeout(() => this.#dropSilent(), SILENCE_MS).unref();
  }

  /** Resolves when every request has its answer. Upgraded connections have none to come. */
  answered(): Promise<void> {
    return this.#answers.empty();
  }

  /** Resolves when no connection is left. */
  gone(): Promise<void> {
    return this.#sockets.empty();
  }

  /** Cuts what is left. Returns the number of requests among it. */
  destroy(): number {
    const requests = this.#answers.size;
    for (const socket of this.#sockets) socket.destroy();
    return requests;
  }

  /** Removes every listener. */
  unwatch(): void {
    clearTimeout(this.#silence);
    this.#server.off('connection', this.#onSocket);
    this.#server.off('secureConnection', this.#onSocket);
    this.#server.off('session', this.#onSession);
    this.#server.off('request', this.#onRequest);
  }

  readonly #onSocket = (socket: Socket): void => {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  };

  readonly #onSession = (session: ServerHttp2Session): void => {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#newest !== undefined) session.close();
  };

  readonly #onRequest = (request: IncomingMessage, answer: ServerResponse): void => {
    this.#answers.add(answer);
    // Not 'finish', which does not come when the client hung up. Not once(), which costs every request a little more.
    answer.on('close', () => {
      this.#answers.delete(answer);
      if (this.#newest !== undefined) this.#sweep();
    });
    // Of HTTP/2, a session has it.
    if (request.httpVersionMajor < 2) this.#onSocket(request.socket);
    if (this.#newest !== undefined) this.#endAfter(answer);
  };

  /** Every client in the middle of its work sends its next request now, and learns with the answer that it is the last. */
  async #linger(): Promise<void> {
    this.#isLingering = true;
    let timer: NodeJS.Timeout | undefined;
    const time = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LINGER_MS);
    });
    await Promise.race([time, this.#sockets.empty()]);
    clearTimeout(timer);
    await nextTurns();
    this.#isLingering = false;
  }

  /** Ends a connection with this answer, unless the client has sent another request behind it. */
  #endAfter(answer: ServerResponse): void {
    const { socket, httpVersionMajor } = answer.req;
    if (httpVersionMajor >= 2) return;
    this.#newest?.set(socket, answer);
    if (answer.headersSent) return;
    onHeaders(answer, () => {
      if (this.#newest?.get(socket) === answer) answer.setHeader('connection', 'close');
    });
  }

  #stopListening(): void {
    if (!this.#server.listening) return;
    // close() would sweep by itself, and too much; see there.
    this.#server.closeIdleConnections = () => {};
    this.#server.close();
    Reflect.deleteProperty(this.#server, 'closeIdleConnections');
  }

  /** Closes idle connections. Node takes one for idle, too, whose answer is finished and still being sent. */
  #sweep(): void {
    if (this.#isLingering) return;
    for (const { writableEnded } of this.#answers) if (writableEnded) return;
    this.#server.closeIdleConnections?.();
  }

  #dropSilent(): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}

/** What has arrived by now is still read: the first turn may be half over. */
async function nextTurns(): Promise<void> {
  await nextTurn();
  await nextTurn();
}
