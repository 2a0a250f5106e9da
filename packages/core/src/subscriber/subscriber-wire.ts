import { withoutArguments } from '../errors/sanitize-error.js';
import type { Connection } from '../transport/connection.js';
import { IncomingMessage } from './message.js';
import type { SubscribeKind } from './subscribe-request.js';
import { onDeadline } from './subscriber-deadline.js';
import { keepSubscriberMode } from './subscriber-mode.js';
import type { Topic } from './subscriber-topic.js';
import type { TopicChange, TopicTable } from './subscriber-topics.js';

/** What a wire tells its subscriber. */
export interface WireHost {
  received(topic: Topic | undefined, message: IncomingMessage): void;
  /** These channels are subscribed now. */
  confirmed(topics: readonly Topic[]): void;
  /** The server has ended these by itself: their slot belongs to another one. */
  dropped(topics: readonly Topic[]): void;
  /** Whether an error reply sends the subscriber to another server, which it will then know. */
  isElsewhere(error: Error): boolean;
  /** The server answers this channel with an error; not `isFinal`: it may not the next time. */
  refused(topic: Topic, error: Error, isFinal: boolean): void;
}

type Waiter = () => void;

/** Replies that say something of the server at this moment, and nothing of the channel. */
const PASSING = /^(BUSY|LOADING|MASTERDOWN|TRYAGAIN|CLUSTERDOWN)\b/;

/**
 * - `idle`: nothing to say.
 * - `scheduled`: says it at the end of this turn of the event loop.
 * - `waiting`: the server owes answers; what is asked meanwhile goes into the next batch.
 * - `ended`: the connection is gone.
 */
type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'scheduled'; readonly immediate: NodeJS.Immediate }
  | { readonly kind: 'waiting'; readonly callOff: () => void; readonly waiters: readonly Waiter[] }
  | { readonly kind: 'ended' };

/**
 * One connection that is brought to what the table wants, batch by batch: each is one write, and the next one starts
 * when all of it is answered, so that concurrent changes converge whatever their order.
 */
export class SubscriberWire {
  readonly #connection: Connection;
  readonly #topics: TopicTable;
  readonly #host: WireHost;
  readonly #limitMs: number;
  #state: State = { kind: 'idle' };
  // Told at the end of the next batch, not of the running one.
  #waiters: Waiter[] = [];

  /** `limitMs`: a batch unanswered for longer ends the connection, whose other end may be gone without a word. */
  constructor(connection: Connection, topics: TopicTable, host: WireHost, limitMs: number) {
    this.#connection = connection;
    this.#topics = topics;
    this.#host = host;
    this.#limitMs = limitMs;
    keepSubscriberMode(connection.redis);
    this.#listen();
  }

  /** Idempotent: to be called whenever the table may have changed. */
  schedule(): void {
    if (this.#state.kind !== 'idle' || !this.#topics.isStale) return;
    this.#state = { kind: 'scheduled', immediate: setImmediate(this.#sendBatch) };
  }

  /** Resolves when everything that was asked up to now is answered or the connection is gone. */
  settled(): Promise<void> {
    if (this.#state.kind === 'idle' || this.#state.kind === 'ended') return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  /** The connection is gone or about to go. */
  end(): void {
    const state = this.#state;
    this.#state = { kind: 'ended' };
    if (state.kind === 'scheduled') clearImmediate(state.immediate);
    if (state.kind === 'waiting') finish(state);
    wake(this.#waiters.splice(0));
  }

  #listen(): void {
    const { redis } = this.#connection;
    redis.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#receive('subscribe', channel.toString(), payload);
    });
    redis.on('smessageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#receive('ssubscribe', channel.toString(), payload);
    });
    // What ioredis says when SUNSUBSCRIBE comes unasked.
    redis.on('moved', () => this.#dropEnded());
    redis.on('pmessageBuffer', (pattern: string, channel: Buffer, payload: Buffer) => {
      const message = new IncomingMessage(channel.toString(), payload, pattern);
      this.#host.received(this.#topics.find('psubscribe', pattern), message);
    });
  }

  #receive(kind: SubscribeKind, channel: string, payload: Buffer): void {
    this.#host.received(this.#topics.find(kind, channel), new IncomingMessage(channel, payload));
  }

  #dropEnded(): void {
    const { condition } = this.#connection.redis;
    const subscribed = condition?.subscriber ? condition.subscriber.channels('ssubscribe') : [];
    const kept = new Set(subscribed);
    const topics = this.#topics.drop('ssubscribe', (name) => kept.has(name));
    if (topics.length > 0) this.#host.dropped(topics);
    this.schedule();
  }

  readonly #sendBatch = (): void => {
    const callOff = onDeadline(this.#limitMs, this.#giveUp);
    this.#state = { kind: 'waiting', callOff, waiters: this.#waiters.splice(0) };
    const answers = this.#topics.takeChanges().map((change) => this.#say(change));
    void Promise.all(answers).then(() => this.#answered());
  };

  readonly #giveUp = (): void => {
    this.#connection.destroy(
      new Error(`The server did not answer a subscription within ${this.#limitMs} ms`),
    );
  };

  #answered(): void {
    if (this.#state.kind !== 'waiting') return;
    finish(this.#state);
    this.#state = { kind: 'idle' };
    this.schedule();
    if (!this.#topics.isStale) wake(this.#waiters.splice(0));
  }

  /** Never rejects. */
  async #say(change: TopicChange): Promise<void> {
    const names = change.topics.map(({ name }) => name);
    try {
      await this.#connection.redis[change.command](...names);
      if (this.#state.kind !== 'ended') this.#applied(change);
    } catch (error) {
      if (this.#state.kind !== 'ended') this.#refused(change, error as Error);
    }
  }

  #applied(change: TopicChange): void {
    this.#topics.applied(change);
    const confirmed = change.topics.filter(({ state }) => state === 'on');
    if (confirmed.length > 0) this.#host.confirmed(confirmed);
  }

  #refused(change: TopicChange, error: Error): void {
    const [topic] = change.topics;
    // Not the server's answer: then the connection is on its way out, and this makes sure that it goes.
    if (error.name !== 'ReplyError' || topic === undefined) this.#connection.destroy(error);
    else if (this.#host.isElsewhere(error)) this.#topics.postpone(change);
    else if (change.topics.length > 1) this.#topics.isolate(change);
    else this.#refusedAlone(topic, withoutArguments(error) as Error);
  }

  #refusedAlone(topic: Topic, error: Error): void {
    const isFinal = !PASSING.test(error.message);
    if (topic.state === 'subscribing') this.#host.refused(topic, error, isFinal);
    this.#topics.refused(topic);
    // Who was subscribed before a lost connection still wants it: once more, with the pauses of a reconnect.
    if (topic.isWanted && !isFinal) this.#connection.destroy(error);
  }
}

function finish({ callOff, waiters }: Extract<State, { kind: 'waiting' }>): void {
  callOff();
  wake(waiters);
}

function wake(waiters: readonly Waiter[]): void {
  for (const waiter of waiters) waiter();
}
