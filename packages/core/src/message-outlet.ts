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
  /** Without an error what waits is dropped; with one it is still handed over, and then the error. */
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
    this.shut();
    this.#buffer.clear();
  }

  // The listener may end its subscription: open or not is asked before each call.
  #flush(): void {
    while (this.#isOpen) {
      const message = this.#buffer.shift();
      if (message === undefined) return;
      this.#call(message);
    }
  }
}
