import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import type { IncomingMessage, MessageEncoding, MessageListener } from './message.js';
import { parseSubscribe, type SubscribeKind, type SubscribeOptions } from './subscribe-request.js';
import { onDeadline } from './subscriber-deadline.js';
import { type LinkHost, SubscriberLink } from './subscriber-link.js';
import type { Topic, TopicMember } from './subscriber-topic.js';
import { TopicTable } from './subscriber-topics.js';
import { SubscriberWire, type WireHost } from './subscriber-wire.js';
import type { Subscription } from './subscription.js';
import { SubscriptionCore, type SubscriptionHost } from './subscription-core.js';
import { SubscriptionHandle } from './subscription-handle.js';

/** What a subscriber needs of its engine. */
export interface SubscriberHost {
  readonly options: ResolvedOptions;
  /** Opens a subscriber connection within connectTimeoutMs; rejects with a DialError. */
  open(signal: AbortSignal): Promise<Connection>;
  /** Takes one place of maxConnections; `false` at the cap. */
  reserve(): boolean;
  /** Gives the place back. */
  free(): void;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
}

/** The subscriptions of a pool. Counters start with the pool and never go back. */
export interface SubscriberStats {
  /** Subscriptions now, those that still wait for their confirmation included. */
  readonly subscriptions: number;
  /** Channels and patterns that they share. */
  readonly channels: number;
  readonly connected: boolean;
  /** Messages that came from the server, each counted once however many subscriptions got it. */
  readonly messages: number;
  /** Messages that a full buffer gave up, counted for each subscription that lost it. */
  readonly dropped: number;
  /** Gaps told to subscriptions. */
  readonly gaps: number;
  /** Calls of listeners, `onGap` and `onEnd` that threw or rejected. */
  readonly listenerErrors: number;
  /** Connections that replaced a lost one. */
  readonly reconnects: number;
}

/** Every subscription of an engine, over one connection that exists as long as there is one. */
export class Subscriber implements LinkHost, WireHost, SubscriptionHost {
  readonly #host: SubscriberHost;
  readonly #link: SubscriberLink;
  readonly #topics = new TopicTable();
  readonly #members = new Set<TopicMember>();
  readonly #counts = { messages: 0, dropped: 0, gaps: 0, listenerErrors: 0 };
  #wire: SubscriberWire | undefined;
  #phase: 'open' | 'closing' | 'closed' = 'open';
  #closing: Promise<void> | undefined;

  constructor(host: SubscriberHost) {
    this.#host = host;
    this.#link = new SubscriberLink(this);
  }

  /**
   * Resolves when the server has confirmed every channel. Before that nothing is delivered, and after a rejection
   * nothing of it is left.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, synchronously. The promise rejects with `RP_ERR_UNAVAILABLE` (no
   * connection) or `RP_ERR_COMMAND_TIMEOUT` (no confirmation) after commandTimeoutMs, `RP_ERR_QUEUE_FULL` at
   * maxConnections, `RP_ERR_CLOSING`, `RP_ERR_CLOSED`; the reason of `signal`; an error reply of the server.
   */
  subscribe<E extends MessageEncoding = 'utf8'>(
    kind: SubscribeKind,
    channels: string | readonly string[],
    listener?: MessageListener<E>,
    options?: SubscribeOptions<E>,
    lifetimes?: readonly AbortSignal[],
  ): Promise<Subscription<E>> {
    const { keyPrefix } = this.options.redis;
    const request = parseSubscribe<E>({ kind, channels, listener, options, lifetimes, keyPrefix });
    const aborted = request.signals.find((signal) => signal.aborted);
    if (aborted !== undefined) return Promise.reject(aborted.reason);
    if (this.#phase !== 'open') return Promise.reject(this.#refusalAtEnd());
    if (!this.#link.want()) return Promise.reject(this.#refusalAtCap());
    const core = new SubscriptionCore(request, this);
    return core.confirmed.then(() => new SubscriptionHandle(core));
  }

  stats(): SubscriberStats {
    return {
      subscriptions: this.#members.size,
      channels: this.#topics.size,
      connected: this.#link.isConnected,
      ...this.#counts,
      reconnects: this.#link.reconnects,
    };
  }

  /**
   * Ends every subscription: iterators are done, a `subscribe()` that waits rejects with `RP_ERR_CLOSING`. Resolves
   * when the connection is closed, with QUIT for at most `quitLimitMs`. Idempotent; never rejects.
   */
  close(quitLimitMs: number): Promise<void> {
    this.#closing ??= this.#close(quitLimitMs);
    return this.#closing;
  }

  /** The same at once; a `subscribe()` that waits rejects with `error` or `RP_ERR_CLOSED`. */
  destroy(error?: unknown): void {
    this.#phase = 'closed';
    this.#cancelAll(() => error ?? this.#refusalAtEnd());
    this.#link.destroy();
  }

  // ---- what the link needs ----

  get options(): ResolvedOptions {
    return this.#host.options;
  }

  open(signal: AbortSignal): Promise<Connection> {
    return this.#host.open(signal);
  }

  reserve(): boolean {
    return this.#host.reserve();
  }

  free(): void {
    this.#host.free();
  }

  isWanted(): boolean {
    return this.#members.size > 0;
  }

  connected(connection: Connection): void {
    // A server that takes longer than that for an answer could not be connected to either: waiting costs nothing.
    const limitMs = Math.max(this.limitMs, this.options.connectTimeoutMs);
    this.#wire = new SubscriberWire(connection, this.#topics, this, limitMs);
    this.#wire.schedule();
  }

  disconnected(): void {
    this.#wire?.end();
    this.#wire = undefined;
    this.#topics.reset();
    for (const member of this.#members) member.interrupt();
  }

  // ---- what the wire tells ----

  received(topic: Topic | undefined, message: IncomingMessage): void {
    this.#counts.messages += 1;
    topic?.deliver(message);
  }

  confirmed(topics: readonly Topic[]): void {
    for (const member of membersOf(topics)) member.checkConfirmed();
  }

  refused(topic: Topic, error: Error, isFinal: boolean): void {
    for (const member of topic.members) member.refuse(error, isFinal);
  }

  // ---- what subscriptions need ----

  get poolName(): string {
    return this.options.name;
  }

  get logger(): ResolvedOptions['logger'] {
    return this.options.logger;
  }

  get limitMs(): number {
    return this.options.commandTimeoutMs;
  }

  join(kind: SubscribeKind, names: readonly string[], member: TopicMember): readonly Topic[] {
    this.#members.add(member);
    const topics = this.#topics.join(kind, names, member);
    this.#wire?.schedule();
    return topics;
  }

  leave(topics: readonly Topic[], member: TopicMember): void {
    this.#members.delete(member);
    this.#topics.leave(topics, member);
    this.#wire?.schedule();
    if (this.#members.size === 0) this.#link.unwant();
  }

  async settled(): Promise<void> {
    if (this.#wire === undefined) return;
    let callOff = (): void => {};
    const limit = new Promise<void>((resolve) => {
      callOff = onDeadline(this.limitMs, resolve);
    });
    await Promise.race([this.#wire.settled(), limit]);
    callOff();
  }

  // Neither says `maybeExecuted`: what the server may have done is undone, so that another try is harmless.
  timeoutError(kind: SubscribeKind, channels: number): RedisPoolError {
    const after = `${kind.toUpperCase()} waited ${this.limitMs} ms (commandTimeoutMs)`;
    if (!this.#link.isConnected) {
      // Where to is told by the cause: what frameworks answer over HTTP is the message.
      const reason = `has no connection; ${after}`;
      const timeSpent = { connectionMs: this.limitMs };
      return this.#host.error('RP_ERR_UNAVAILABLE', reason, { cause: this.#link.lastError, timeSpent });
    }
    const reason = `has no confirmation of ${channels} channels; ${after}`;
    return this.#host.error('RP_ERR_COMMAND_TIMEOUT', reason, { timeSpent: { serverMs: this.limitMs } });
  }

  overflowError(bufferSize: number): RedisPoolError {
    const reason = `ended a subscription whose consumer is too slow: bufferSize ${bufferSize} is reached`;
    return this.#host.error('RP_ERR_QUEUE_FULL', reason);
  }

  count(event: 'dropped' | 'gaps' | 'listenerErrors'): void {
    this.#counts[event] += 1;
  }

  async #close(quitLimitMs: number): Promise<void> {
    if (this.#phase === 'open') this.#phase = 'closing';
    this.#cancelAll(() => this.#refusalAtEnd());
    await this.#link.close(quitLimitMs);
    this.#phase = 'closed';
  }

  #cancelAll(reason: () => unknown): void {
    for (const member of [...this.#members]) member.cancel(reason);
  }

  #refusalAtEnd(): RedisPoolError {
    const isClosed = this.#phase === 'closed';
    const reason = isClosed ? 'is closed' : 'is closing and takes no new subscriptions';
    return this.#host.error(isClosed ? 'RP_ERR_CLOSED' : 'RP_ERR_CLOSING', reason, { maybeExecuted: false });
  }

  #refusalAtCap(): RedisPoolError {
    const { maxConnections } = this.options;
    const reason = `has no connection left for subscriptions: maxConnections ${maxConnections} is reached`;
    return this.#host.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }
}

function membersOf(topics: readonly Topic[]): Set<TopicMember> {
  return new Set(topics.flatMap(({ members }) => members));
}
