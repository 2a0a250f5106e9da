import type { Socket } from 'node:net';
import { FaultChannel } from './fault-channel.js';
import { type Direction, type FaultRules, FORWARD, NO_FAULTS } from './fault-rules.js';
import { resetSocket } from './reset-socket.js';

/** What a {@link FaultConnection} needs from its proxy. */
export interface FaultConnectionOptions {
  /** The accepted socket. */
  readonly client: Socket;
  /** Dials the server. */
  readonly dial: () => Socket;
  readonly rules: FaultRules;
  readonly onForwarded: (direction: Direction, bytes: number) => void;
  readonly onDropped: (bytes: number) => void;
  /** Called when both sockets are closed; a second call must do no harm. */
  readonly onClosed: () => void;
}

/** A client socket, a server socket, and a channel for each direction between them. */
export class FaultConnection {
  readonly #options: FaultConnectionOptions;
  readonly #client: Socket;
  readonly #toServer: FaultChannel;
  #server: Socket | undefined;
  #toClient: FaultChannel | undefined;
  #rules: FaultRules;
  #isHalfClosed = false;
  #bytesUntilReset = Number.POSITIVE_INFINITY;

  constructor(options: FaultConnectionOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#rules = options.rules;
    this.#watch(this.#client);
    this.#toServer = this.#channel(this.#client, 'toServer');
    this.#toServer.setRule(options.rules.toServer);
    if (options.rules.onAccept === 'forward') this.#connect();
  }

  /** True while the client's socket is open. */
  get isOpen(): boolean {
    return !this.#client.destroyed;
  }

  setRules(rules: FaultRules): void {
    this.#rules = rules;
    this.#bytesUntilReset = Number.POSITIVE_INFINITY;
    this.#toServer.setRule(rules.toServer);
    this.#toClient?.setRule(rules.toClient);
  }

  /** Drops every reply from now on; resets the connection when `bytes` of them have been dropped. */
  swallowThenReset(bytes: number): void {
    this.#bytesUntilReset = bytes;
    this.#toClient?.setRule({ ...FORWARD, flow: 'drop' });
  }

  /** Sends FIN to the client and goes on reading from it. */
  halfClose(): void {
    this.#isHalfClosed = true;
    this.#client.end();
  }

  /** Writes bytes to the client that the server never sent. */
  inject(bytes: Uint8Array): void {
    if (this.#client.writable) this.#client.write(bytes);
  }

  /** Forwards again, what was held first; resets the connection when that would show a gap to one side. */
  heal(): void {
    const lostBytes = this.#toServer.lostBytes || this.#toClient?.lostBytes;
    const isAbandoned = this.#server === undefined && this.#client.readableEnded;
    if (lostBytes || this.#isHalfClosed || isAbandoned) {
      this.reset();
    } else {
      if (this.#server === undefined) this.#connect();
      this.setRules(NO_FAULTS);
    }
  }

  /** Closes both sockets at once, the client's with RST. */
  reset(): void {
    this.#toServer.close();
    this.#toClient?.close();
    this.#server?.destroy();
    resetSocket(this.#client);
  }

  #connect(): void {
    const server = this.#options.dial();
    this.#server = server;
    this.#watch(server);
    this.#toClient = this.#channel(server, 'toClient');
    this.#toClient.setRule(this.#rules.toClient);
    this.#toClient.connectTo(this.#client);
    this.#toServer.connectTo(server);
  }

  #channel(source: Socket, direction: Direction): FaultChannel {
    return new FaultChannel(source, {
      onForwarded: (bytes) => this.#options.onForwarded(direction, bytes),
      onDropped: (bytes) => this.#onDropped(bytes),
      onAborted: () => (direction === 'toServer' ? this.#server?.destroy() : resetSocket(this.#client)),
    });
  }

  #onDropped(bytes: number): void {
    this.#options.onDropped(bytes);
    this.#bytesUntilReset -= bytes;
    if (this.#bytesUntilReset <= 0) this.reset();
  }

  // An error is always followed by 'close', which the channels and the proxy act on.
  #watch(socket: Socket): void {
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#client.closed && (this.#server?.closed ?? true)) this.#options.onClosed();
    });
  }
}
