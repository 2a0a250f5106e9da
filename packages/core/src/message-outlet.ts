import type { Message, MessageEncoding, MessageListener } from './message.js';
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

  /** `guard` runs user code and lets nothing out that it throws. */
  constructor(buffer: MessageBuffer<E>, listener: MessageListener<E>, guard: (call: () => unknown) => void) {
    this.#buffer = buffer;
    this.#call = ({ message, channel, pattern }) => guard(() => listener(message, channel, pattern));
  }

  accept(message: Message<E>): boolean {
    if (!this.#buffer.push(message)) return false;
    this.#flush();
    return true;
  }

  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  shut(): void {
    this.#isOpen = false;
  }

  end(): void {
    this.#buffer.clear();
  }

  // The listener may end its subscription, which empties the buffer.
  #flush(): void {
    if (!this.#isOpen) return;
    for (let message = this.#buffer.shift(); message !== undefined; message = this.#buffer.shift()) {
      this.#call(message);
    }
  }
}
