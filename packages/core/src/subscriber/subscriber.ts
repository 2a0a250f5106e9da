import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import type { MessageEncoding, MessageListener } from './message.js';
import { parseSubscribe, type SubscribeKind, type SubscribeOptions } from './subscribe-request.js';
import { onDeadline } from './subscriber-deadline.js';
import { type PortHost, SubscriberPort } from './subscriber-port.js';
import type { Topic, TopicMember } from './subscriber-topic.js';
import type { Subscription } from './subscription.js';
import { SubscriptionCore, type SubscriptionHost } from './subscription-core.js';
import { SubscriptionHandle } from './subscription-handle.js';

const QUIT_WHILE_DRAINING_MS = 500;

/** What a subscriber needs of its engine. */
export interface SubscriberHost {
  readonly options: ResolvedOptions;
  /** Which connection a channel belongs to; one server has one for all. */
  homeOf(kind: SubscribeKind, name: string): string;
  /** Opens a subscriber connection within connectTimeoutMs; rejects with a DialError. */
  open(signal: AbortSignal, home: string): Promise<Connection>;
  /** Whether an error reply sends the subscriber to another server. */
  isElsewhere(error: Error): boolean;
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

/** Every subscription of an engine, over one connection for each home of channels, as long as it is needed. */
export class Subscriber implements PortHost, SubscriptionHost {
  readonly #host: SubscriberHost;
  readonly #ports = new Map<string, SubscriberPort>();
  readonly #members = new Set<TopicMember>();
  readonly #counts = { messages: 0, dropped: 0, gaps: 0, listenerErrors: 0 };
  /** Of ports that are gone. */
  #pastReconnects = 0;
  #phase: 'open' | 'closing' | 'closed' = 'open';
  #closing: Promise<void> | undefined;

  constructor(host: SubscriberHost) {
    this.#host = host;
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
    if (!this.#want(kind, request.names)) return Promise.reject(this.#refusalAtCap());
    const core = new SubscriptionCore(request, this);
    return core.confirmed.then(() => new SubscriptionHandle(core));
  }

  stats(): SubscriberStats {
    return {
      subscriptions: this.#members.size,
      channels: this.#sum(({ topics }) => topics.size),
      connected: this.#isConnected,
      ...this.#counts,
      reconnects: this.#sum(({ link }) => link.reconnects) + this.#pastReconnects,
    };
  }

  /** Ends it while the rest of the pool drains: its QUIT gets a part of the time. */
  drain(limitMs: number): Promise<void> {
    return this.close(Math.min(limitMs, QUIT_WHILE_DRAINING_MS));
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
    for (const { link } of this.#ports.values()) link.destroy();
  }

  /** To be called when channels may belong to other servers than before. */
  rehome(): void {
    for (const port of [...this.#ports.values()]) {
      for (const topic of port.topics.all) {
        const home = this.#host.homeOf(topic.kind, topic.name);
        if (home !== port.home) this.#move(topic, port, this.#portAt(home));
      }
      port.retry();
      if (!port.isWanted() && !port.link.isInUse) this.#forget(port);
    }
  }

  // ---- what ports need ----

  get options(): ResolvedOptions {
    return this.#host.options;
  }

  open(home: string, signal: AbortSignal): Promise<Connection> {
    return this.#host.open(signal, home);
  }

  reserve(): boolean {
    return this.#host.reserve();
  }

  free(): void {
    this.#host.free();
  }

  messageCame(): void {
    this.#counts.messages += 1;
  }

  isElsewhere(error: Error): boolean {
    return this.#host.isElsewhere(error);
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
    return names.map((name) => this.#portAt(this.#host.homeOf(kind, name)).join(kind, name, member));
  }

  leave(topics: readonly Topic[], member: TopicMember): void {
    this.#members.delete(member);
    for (const topic of topics) this.#ports.get(topic.home)?.leave(topic, member);
  }

  async settled(): Promise<void> {
    let callOff = (): void => {};
    const limit = new Promise<void>((resolve) => {
      callOff = onDeadline(this.limitMs, resolve);
    });
    const all = Promise.all([...this.#ports.values()].map((port) => port.settled()));
    await Promise.race([all, limit]);
    callOff();
  }

  // Neither says `maybeExecuted`: what the server may have done is undone, so that another try is harmless.
  timeoutError(kind: SubscribeKind, channels: number): RedisPoolError {
    const after = `${kind.toUpperCase()} waited ${this.limitMs} ms (commandTimeoutMs)`;
    if (!this.#isConnected) {
      // Where to is told by the cause: what frameworks answer over HTTP is the message.
      const reason = `has no connection; ${after}`;
      const timeSpent = { connectionMs: this.limitMs };
      return this.#host.error('RP_ERR_UNAVAILABLE', reason, { cause: this.#lastError, timeSpent });
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
    await Promise.all([...this.#ports.values()].map(({ link }) => link.close(quitLimitMs)));
    this.#phase = 'closed';
  }

  get #isConnected(): boolean {
    const wanted = [...this.#ports.values()].filter((port) => port.isWanted() || port.link.isConnected);
    return wanted.length > 0 && wanted.every(({ link }) => link.isConnected);
  }

  get #lastError(): unknown {
    return [...this.#ports.values()].map(({ link }) => link.lastError).find((error) => error !== undefined);
  }

  #portAt(home: string): SubscriberPort {
    const port = this.#ports.get(home) ?? new SubscriberPort(home, this);
    this.#ports.set(home, port);
    return port;
  }

  /** Has the connections opened that these channels need. `false`: there is no place left for one of them. */
  #want(kind: SubscribeKind, names: readonly string[]): boolean {
    const ports = [...new Set(names.map((name) => this.#portAt(this.#host.homeOf(kind, name))))];
    if (ports.every(({ link }) => link.want())) return true;
    for (const port of ports) if (!port.isWanted()) port.link.unwant();
    return false;
  }

  #move(topic: Topic, from: SubscriberPort, to: SubscriberPort): void {
    from.release(topic);
    if (to.link.want()) to.adopt(topic);
    else for (const member of topic.members) member.refuse(this.#refusalAtCap(), true);
  }

  #forget(port: SubscriberPort): void {
    this.#pastReconnects += port.link.reconnects;
    this.#ports.delete(port.home);
  }

  #sum(count: (port: SubscriberPort) => number): number {
    return [...this.#ports.values()].reduce((sum, port) => sum + count(port), 0);
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
