import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FaultConnection } from './fault-connection.js';
import {
  type ChannelRule,
  changeRules,
  type Direction,
  type Directions,
  type FaultRules,
  NO_FAULTS,
} from './fault-rules.js';
import { freePort, retryWhilePortTaken } from './free-port.js';
import { waitUntil } from './wait-until.js';

const LOOPBACK = '127.0.0.1';

/** Where a proxy forwards to. */
export type FaultProxyTarget = { readonly host: string; readonly port: number } | { readonly path: string };

/** Options of {@link startFaultProxy}. */
export interface FaultProxyOptions {
  /** The server to forward to; a `RedisServer` fits as it is. */
  readonly target: FaultProxyTarget;
}

/** Options of {@link FaultProxy.delay}. */
export interface DelayOptions {
  readonly ms: number;
  /** Up to so many milliseconds more, at random for each chunk. Order is kept. @default 0 */
  readonly jitterMs?: number;
  /** @default 'both' */
  readonly direction?: Directions;
}

/** Options of {@link FaultProxy.split}. */
export interface SplitOptions {
  /** Longest piece that is written at once, 1 or more. */
  readonly maxBytes: number;
  /** @default 'both' */
  readonly direction?: Directions;
}

type State =
  | { readonly kind: 'refusing' }
  | { readonly kind: 'listening'; readonly listener: Server; readonly ready: Promise<void> }
  | { readonly kind: 'closed'; readonly done: Promise<void> };

/** Starts a TCP proxy on a free port of the loopback interface; it forwards until a fault is switched on. */
export function startFaultProxy({ target }: FaultProxyOptions): Promise<FaultProxy> {
  return retryWhilePortTaken(async () => {
    const proxy = new FaultProxy(target, await freePort());
    await proxy.accept();
    return proxy;
  });
}

/**
 * A TCP proxy with faults that can be switched at any moment; made by {@link startFaultProxy}.
 *
 * Faults act on open and on later connections unless they say otherwise, and add up until `heal()`.
 * Closing is forwarded like bytes: it waits behind held and delayed ones, and passes where bytes are dropped.
 */
export class FaultProxy {
  readonly port: number;
  /** `redis://` address of the proxy, without credentials. */
  readonly url: string;
  readonly #target: FaultProxyTarget;
  readonly #connections = new Set<FaultConnection>();
  readonly #bytes = { toServer: 0, toClient: 0, dropped: 0 };
  #accepted = 0;
  #rules: FaultRules = NO_FAULTS;
  #state: State = { kind: 'refusing' };

  /** @internal */
  constructor(target: FaultProxyTarget, port: number) {
    this.#target = target;
    this.port = port;
    this.url = `redis://${LOOPBACK}:${port}`;
  }

  /** Client connections that are open now. */
  get connectionCount(): number {
    return [...this.#connections].filter(({ isOpen }) => isOpen).length;
  }

  /** Client connections ever accepted, those that were reset at once included. */
  get acceptedCount(): number {
    return this.#accepted;
  }

  /** Bytes forwarded to the server so far, over all connections. */
  get bytesToServer(): number {
    return this.#bytes.toServer;
  }

  /** Bytes forwarded to clients so far, over all connections. */
  get bytesToClient(): number {
    return this.#bytes.toClient;
  }

  /** Bytes that were lost on purpose, in both directions. More than 0 after `swallowReplies()`: a reply came. */
  get bytesDropped(): number {
    return this.#bytes.dropped;
  }

  /** Forwards everything later; a connection with 100 ms both ways has a round trip of 200 ms. */
  delay({ ms, jitterMs = 0, direction = 'both' }: DelayOptions): void {
    this.#change(direction, { delayMs: ms, jitterMs });
  }

  /** Forwards in pieces of at most `maxBytes`, one in a turn of the event loop. */
  split({ maxBytes, direction = 'both' }: SplitOptions): void {
    if (maxBytes < 1) throw new RangeError(`split: maxBytes must be 1 or more, got ${maxBytes}`);
    this.#change(direction, { maxBytes });
  }

  /** Loses every byte of one direction, silently. */
  drop(direction: Directions): void {
    this.#change(direction, { flow: 'drop' });
  }

  /** The server executes everything; its replies vanish. */
  swallowReplies(): void {
    this.drop('toClient');
  }

  /**
   * As `swallowReplies()`, and resets each connection once `afterBytes` of its replies have vanished: the
   * server has executed, the client cannot know. Only for the connections that are open now; later ones are
   * forwarded, so that a client can come back. @default afterBytes 1
   */
  swallowRepliesThenReset({ afterBytes = 1 }: { readonly afterBytes?: number } = {}): void {
    for (const connection of this.#connections) connection.swallowThenReset(afterBytes);
  }

  /** Lets `bytes` more pass in that direction, on each connection, then nothing. Nothing is lost. */
  stallAfter(bytes: number, direction: Directions): void {
    this.#change(direction, { passBytes: bytes });
  }

  /** All connections go silent both ways, new ones too, and stay open. Nothing is lost. */
  blackHole(): void {
    this.#rules = { ...this.#rules, onAccept: 'silence' };
    this.#change('both', { flow: 'hold' });
  }

  /**
   * Open connections lose every byte of both directions from now on, silently, as when a firewall has forgotten
   * them; new ones are forwarded.
   */
  forgetConnections(): void {
    const forgotten = changeRules(this.#rules, 'both', { flow: 'drop' });
    for (const connection of this.#connections) connection.setRules(forgotten);
  }

  /** Resets all open connections (RST). New ones are forwarded. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Ends the server's side of all open connections (FIN) while the client's side can still send. */
  halfClose(): void {
    for (const connection of this.#connections) connection.halfClose();
  }

  /** Sends bytes to all open clients that the server never sent, past all other faults. */
  garbage(bytes: Uint8Array | string): void {
    for (const connection of this.#connections) connection.inject(Buffer.from(bytes));
  }

  /** New connections are refused from now on. Open ones go on. */
  refuse(): void {
    if (this.#state.kind !== 'listening') return;
    this.#state.listener.close();
    this.#state = { kind: 'refusing' };
  }

  /** Listens again after `refuse()`, on the same port; the other faults stay on. */
  async accept(): Promise<void> {
    if (this.#state.kind === 'closed') throw new Error(`The fault proxy on port ${this.port} is closed`);
    if (this.#state.kind === 'refusing') await retryWhilePortTaken(() => this.#listen());
    else await this.#state.ready;
  }

  /** New connections are accepted and reset at once, like a load balancer without backends. Open ones go on. */
  async acceptAndReset(): Promise<void> {
    this.#rules = { ...this.#rules, onAccept: 'reset' };
    await this.accept();
  }

  /** New connections are accepted and never answered; the server does not see them. Open ones go on. */
  async acceptAndSilence(): Promise<void> {
    this.#rules = { ...this.#rules, onAccept: 'silence' };
    await this.accept();
  }

  /**
   * Ends all faults. What was held is forwarded; a connection that lost bytes or was half-closed is reset.
   * Resolves when new connections are accepted.
   */
  async heal(): Promise<void> {
    this.#rules = NO_FAULTS;
    for (const connection of this.#connections) connection.heal();
    await this.accept();
  }

  /** Stops listening and closes all connections. Idempotent. */
  close(): Promise<void> {
    if (this.#state.kind !== 'closed') {
      this.refuse();
      this.#state = { kind: 'closed', done: this.#closeConnections() };
    }
    return this.#state.done;
  }

  async #closeConnections(): Promise<void> {
    this.reset();
    await waitUntil(() => this.#connections.size === 0, {
      what: 'all connections of the fault proxy are closed',
    });
  }

  #change(directions: Directions, change: Partial<ChannelRule>): void {
    this.#rules = changeRules(this.#rules, directions, change);
    for (const connection of this.#connections) connection.setRules(this.#rules);
  }

  #listen(): Promise<void> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#onClient(client));
    const ready = once(listener.listen({ port: this.port, host: LOOPBACK, exclusive: true }), 'listening');
    const done = ready.then(
      () => {},
      (error: unknown) => {
        this.#state = { kind: 'refusing' };
        throw error;
      },
    );
    this.#state = { kind: 'listening', listener, ready: done };
    return done;
  }

  #onClient(client: Socket): void {
    this.#accepted++;
    if (this.#rules.onAccept === 'reset') client.on('error', () => {}).resetAndDestroy();
    else this.#connections.add(this.#connection(client));
  }

  #connection(client: Socket): FaultConnection {
    const connection: FaultConnection = new FaultConnection({
      client,
      dial: () => connect({ ...this.#target, allowHalfOpen: true, noDelay: true }),
      rules: this.#rules,
      onForwarded: (direction: Direction, bytes) => {
        this.#bytes[direction] += bytes;
      },
      onDropped: (bytes) => {
        this.#bytes.dropped += bytes;
      },
      onClosed: () => this.#connections.delete(connection),
    });
    return connection;
  }
}
