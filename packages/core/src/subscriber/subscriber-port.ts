import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import type { IncomingMessage } from './message.js';
import type { SubscribeKind } from './subscribe-request.js';
import { type LinkHost, SubscriberLink } from './subscriber-link.js';
import type { Topic, TopicMember } from './subscriber-topic.js';
import { TopicTable } from './subscriber-topics.js';
import { SubscriberWire, type WireHost } from './subscriber-wire.js';

/** What a port needs of its subscriber. */
export interface PortHost {
  readonly options: ResolvedOptions;
  readonly limitMs: number;
  open(home: string, signal: AbortSignal): Promise<Connection>;
  reserve(): boolean;
  free(): void;
  messageCame(): void;
  isElsewhere(error: Error): boolean;
}

/** The channels that share one connection, and that connection, which exists as long as somebody wants one of them. */
export class SubscriberPort implements LinkHost, WireHost {
  readonly home: string;
  readonly topics = new TopicTable();
  readonly link: SubscriberLink;
  readonly #host: PortHost;
  #wire: SubscriberWire | undefined;

  constructor(home: string, host: PortHost) {
    this.home = home;
    this.#host = host;
    this.link = new SubscriberLink(this);
  }

  join(kind: SubscribeKind, name: string, member: TopicMember): Topic {
    const [topic] = this.topics.join(kind, [name], member) as [Topic];
    topic.home = this.home;
    this.#wire?.schedule();
    return topic;
  }

  leave(topic: Topic, member: TopicMember): void {
    this.topics.leave([topic], member);
    this.#settleDown();
  }

  /** Gives a channel away, with those who want it. The server is not told. */
  release(topic: Topic): void {
    this.topics.release(topic);
    this.#settleDown();
  }

  /** Takes a channel over from another port; its subscriptions have a gap. */
  adopt(topic: Topic): void {
    topic.home = this.home;
    this.topics.adopt(topic);
    interrupt([topic]);
    this.#wire?.schedule();
  }

  /** Says once more what the server has sent elsewhere. */
  retry(): void {
    this.topics.review();
    this.#wire?.schedule();
  }

  settled(): Promise<void> {
    return this.#wire?.settled() ?? Promise.resolve();
  }

  /** To be called when there may be no subscription any more. */
  #settleDown(): void {
    this.#wire?.schedule();
    if (!this.isWanted()) this.link.unwant();
  }

  // ---- what the link needs ----

  get options(): ResolvedOptions {
    return this.#host.options;
  }

  open(signal: AbortSignal): Promise<Connection> {
    return this.#host.open(this.home, signal);
  }

  reserve(): boolean {
    return this.#host.reserve();
  }

  free(): void {
    this.#host.free();
  }

  isWanted(): boolean {
    return this.topics.isWanted;
  }

  connected(connection: Connection): void {
    // A server that takes longer than that for an answer could not be connected to either: waiting costs nothing.
    const limitMs = Math.max(this.#host.limitMs, this.options.connectTimeoutMs);
    this.#wire = new SubscriberWire(connection, this.topics, this, limitMs);
    this.#wire.schedule();
  }

  disconnected(): void {
    this.#wire?.end();
    this.#wire = undefined;
    const topics = this.topics.all;
    this.topics.reset();
    interrupt(topics);
  }

  // ---- what the wire tells ----

  received(topic: Topic | undefined, message: IncomingMessage): void {
    this.#host.messageCame();
    topic?.deliver(message);
  }

  confirmed(topics: readonly Topic[]): void {
    for (const member of membersOf(topics)) member.checkConfirmed();
  }

  refused(topic: Topic, error: Error, isFinal: boolean): void {
    for (const member of topic.members) member.refuse(error, isFinal);
  }

  dropped(topics: readonly Topic[]): void {
    interrupt(topics);
  }

  isElsewhere(error: Error): boolean {
    return this.#host.isElsewhere(error);
  }
}

function interrupt(topics: readonly Topic[]): void {
  for (const member of membersOf(topics)) member.interrupt();
}

function membersOf(topics: readonly Topic[]): Set<TopicMember> {
  return new Set(topics.flatMap(({ members }) => members));
}
