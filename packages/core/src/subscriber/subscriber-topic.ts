import type { IncomingMessage } from './message.js';
import type { SubscribeKind } from './subscribe-request.js';

/** A subscription as its channels and the subscriber see it. */
export interface TopicMember {
  deliver(message: IncomingMessage): void;
  /** Called when one of its channels was confirmed, or all of them may have been before. */
  checkConfirmed(): void;
  /** Called when the connection is lost. */
  interrupt(): void;
  /** Ends it as its owner or the pool wants; `reason` is for a `subscribe()` that still waits. */
  cancel(reason: () => unknown): void;
  /** Rejects a `subscribe()` that still waits; ends what was subscribed before, against its owner's will, if `isFinal`. */
  refuse(error: Error, isFinal: boolean): void;
}

/** What the server was told of a channel over the current connection. The middle two: it has not answered yet. */
export type TopicState = 'off' | 'subscribing' | 'on' | 'unsubscribing';

/** One channel or pattern, and who wants it. */
export class Topic {
  readonly kind: SubscribeKind;
  readonly name: string;
  state: TopicState = 'off';
  /** Of the port that has it. */
  home = '';
  /** Refused in one command with others: which of them it was shows when each goes alone. */
  isSuspect = false;
  readonly #members = new Set<TopicMember>();
  // Who gets the message that is being delivered, also when listeners subscribe and unsubscribe meanwhile.
  #recipients: readonly TopicMember[] | undefined;

  constructor(kind: SubscribeKind, name: string) {
    this.kind = kind;
    this.name = name;
  }

  get members(): readonly TopicMember[] {
    this.#recipients ??= [...this.#members];
    return this.#recipients;
  }

  get isWanted(): boolean {
    return this.#members.size > 0;
  }

  /** Whether the server has to be told something, unless what it was told last is just that. */
  get isStale(): boolean {
    return this.isWanted ? this.state !== 'on' : this.state !== 'off';
  }

  add(member: TopicMember): void {
    this.#members.add(member);
    this.#recipients = undefined;
  }

  remove(member: TopicMember): void {
    this.#members.delete(member);
    this.#recipients = undefined;
  }

  deliver(message: IncomingMessage): void {
    for (const member of this.members) member.deliver(message);
  }
}
