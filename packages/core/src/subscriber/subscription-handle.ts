import { inspect } from 'node:util';
import { invalidOption } from '../options/option-rules.js';
import type { Message, MessageEncoding } from './message.js';
import type { IteratorOutlet } from './message-iterator.js';
import type { Subscription } from './subscription.js';
import type { SubscriptionCore } from './subscription-core.js';

/** What the caller of `subscribe()` holds. */
export class SubscriptionHandle<E extends MessageEncoding> implements Subscription<E> {
  readonly #core: SubscriptionCore<E>;
  #isIterated = false;

  constructor(core: SubscriptionCore<E>) {
    this.#core = core;
  }

  get channels(): readonly string[] {
    return this.#core.names;
  }

  get dropped(): number {
    return this.#core.dropped;
  }

  get gaps(): number {
    return this.#core.gaps;
  }

  get ended(): boolean {
    return this.#core.ended;
  }

  unsubscribe(): Promise<void> {
    return this.#core.unsubscribe();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unsubscribe();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message<E>> {
    const { iterator } = this.#core;
    if (iterator === undefined) throw invalidOption('A subscription with a listener cannot be iterated too');
    if (this.#isIterated)
      throw invalidOption('A subscription can be iterated once; subscribe again for another one');
    this.#isIterated = true;
    return new MessageIterator(this.#core, iterator);
  }

  /** Names are what somebody subscribed to: not for logs. */
  [inspect.custom](): string {
    const { channels, ended, dropped, gaps } = this;
    return `Subscription { channels: ${channels.length}, ended: ${ended}, dropped: ${dropped}, gaps: ${gaps} }`;
  }
}

class MessageIterator<E extends MessageEncoding> implements AsyncIterableIterator<Message<E>> {
  readonly #core: SubscriptionCore<E>;
  readonly #outlet: IteratorOutlet<E>;

  constructor(core: SubscriptionCore<E>, outlet: IteratorOutlet<E>) {
    this.#core = core;
    this.#outlet = outlet;
  }

  next(): Promise<IteratorResult<Message<E>, undefined>> {
    return this.#outlet.take();
  }

  /** Whoever leaves the loop does not wait for the server. */
  return(): Promise<IteratorResult<Message<E>, undefined>> {
    this.#core.cancel(() => undefined);
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
