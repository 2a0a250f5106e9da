/** One caller in the queue; it settles exactly once (law 5). */
export interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
  queued: boolean;
}

/** FIFO of callers, each of which can leave from anywhere at once. */
export class WaiterList<T> {
  length = 0;
  #first: Waiter<T> | undefined;
  #last: Waiter<T> | undefined;

  push(waiter: Waiter<T>): void {
    waiter.queued = true;
    waiter.previous = this.#last;
    if (this.#last === undefined) this.#first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.length += 1;
  }

  shift(): Waiter<T> | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** Takes a waiter out; one that left already stays as it is. */
  remove(waiter: Waiter<T>): void {
    if (!waiter.queued) return;
    waiter.queued = false;
    if (waiter.previous === undefined) this.#first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.#last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.length -= 1;
  }
}
