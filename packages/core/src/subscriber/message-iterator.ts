import type { Message, MessageEncoding } from './message.js';
import type { MessageBuffer } from './message-buffer.js';
import type { MessageOutlet } from './message-outlet.js';

interface Taker<E extends MessageEncoding> {
  resolve(result: IteratorResult<Message<E>, undefined>): void;
  reject(error: Error): void;
}

type State =
  | { readonly kind: 'running' }
  /** It has still to be told why the messages end. */
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'done' };

/** The pull side of a subscription: what is not taken at once waits in the buffer. */
export class IteratorOutlet<E extends MessageEncoding> implements MessageOutlet<E> {
  readonly #buffer: MessageBuffer<E>;
  // Calls of next() that came before their message. Empty whenever the buffer is not.
  readonly #takers: Taker<E>[] = [];
  #state: State = { kind: 'running' };

  constructor(buffer: MessageBuffer<E>) {
    this.#buffer = buffer;
  }

  accept(message: Message<E>): boolean {
    const taker = this.#takers.shift();
    if (taker === undefined) return this.#buffer.push(message);
    taker.resolve({ value: message, done: false });
    return true;
  }

  // A consumer that pulls is ready when it says so.
  open(): void {}

  shut(): void {}

  end(error: Error | undefined): void {
    this.#state = error === undefined ? { kind: 'done' } : { kind: 'failed', error };
    if (error === undefined) this.#buffer.clear();
    for (const taker of this.#takers.splice(0)) this.#give(taker);
  }

  /** The next message; waits for one while the subscription lasts. */
  take(): Promise<IteratorResult<Message<E>, undefined>> {
    return new Promise((resolve, reject) => this.#give({ resolve, reject }));
  }

  #give(taker: Taker<E>): void {
    const message = this.#buffer.shift();
    if (message !== undefined) taker.resolve({ value: message, done: false });
    else if (this.#state.kind === 'running') this.#takers.push(taker);
    else this.#giveEnd(taker);
  }

  #giveEnd(taker: Taker<E>): void {
    const state = this.#state;
    this.#state = { kind: 'done' };
    if (state.kind === 'failed') taker.reject(state.error);
    else taker.resolve({ value: undefined, done: true });
  }
}
