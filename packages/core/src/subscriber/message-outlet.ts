import type { Message, MessageEncoding } from './message.js';
import type { MessageBuffer } from './message-buffer.js';

/** Where the messages of one subscription go: to its listener or to its iterator. */
export interface MessageOutlet<E extends MessageEncoding> {
  /** `false`: the buffer is full and its policy is to end. */
  accept(message: Message<E>): boolean;
  /** From here on messages may be handed over. */
  open(): void;
  /** Messages wait until it is opened again. */
  shut(): void;
  /** What waits is dropped; but with an error an iterator gives it still, and then throws the error. */
  end(error: Error | undefined): void;
}

/** Calls a listener for each message; keeps in the buffer what comes while it is shut. */
export class ListenerOutlet<E extends MessageEncoding> implements MessageOutlet<E> {
  readonly #buffer: MessageBuffer<E>;
  readonly #call: (message: Message<E>) => void;
  #isOpen = false;

  /** `call` must not throw. */
  constructor(buffer: MessageBuffer<E>, call: (message: Message<E>) => void) {
    this.#buffer = buffer;
    this.#call = call;
  }

  // Open, it has emptied the buffer: nothing is overtaken.
  accept(message: Message<E>): boolean {
    if (!this.#isOpen) return this.#buffer.push(message);
    this.#call(message);
    return true;
  }

  // The listener may end its subscription, which empties the buffer.
  open(): void {
    this.#isOpen = true;
    for (let message = this.#buffer.shift(); message !== undefined; message = this.#buffer.shift()) {
      this.#call(message);
    }
  }

  shut(): void {
    this.#isOpen = false;
  }

  end(): void {
    this.#buffer.clear();
  }
}
