import type { Message, MessageEncoding } from './message.js';

/**
 * What happens when a message does not fit:
 * - `drop-oldest`: the oldest one goes.
 * - `coalesce`: of each channel only the newest one waits, in the place of the one it replaces; with more channels
 *   than places the oldest one goes.
 * - `end`: the new one goes, and the subscription ends.
 */
export type MessageOverflow = 'drop-oldest' | 'coalesce' | 'end';

interface Entry<E extends MessageEncoding> {
  message: Message<E>;
  next: Entry<E> | undefined;
}

export interface MessageBufferOptions {
  /** Messages it may hold, from 1. */
  readonly size: number;
  readonly overflow: MessageOverflow;
  /** Told of each message that was taken in, or offered, and that nobody will get. */
  readonly onDrop: () => void;
}

/** Messages that wait for a consumer: never more than `size`, whatever is published. */
export class MessageBuffer<E extends MessageEncoding> {
  length = 0;
  readonly #options: MessageBufferOptions;
  // Only filled with `coalesce`.
  readonly #waiting = new Map<string, Entry<E>>();
  #first: Entry<E> | undefined;
  #last: Entry<E> | undefined;

  constructor(options: MessageBufferOptions) {
    this.#options = options;
  }

  /** `false`: it does not fit and the policy is `end`. */
  push(message: Message<E>): boolean {
    if (this.#replaced(message)) return true;
    if (this.length >= this.#options.size) {
      this.#options.onDrop();
      if (this.#options.overflow === 'end') return false;
      this.shift();
    }
    this.#append(message);
    return true;
  }

  /** The oldest message. */
  shift(): Message<E> | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#first = first.next;
    if (first.next === undefined) this.#last = undefined;
    this.length -= 1;
    this.#waiting.delete(first.message.channel);
    return first.message;
  }

  clear(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#waiting.clear();
    this.length = 0;
  }

  #replaced(message: Message<E>): boolean {
    const entry = this.#waiting.get(message.channel);
    if (entry === undefined) return false;
    entry.message = message;
    this.#options.onDrop();
    return true;
  }

  #append(message: Message<E>): void {
    const entry: Entry<E> = { message, next: undefined };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.length += 1;
    if (this.#options.overflow === 'coalesce') this.#waiting.set(message.channel, entry);
  }
}
