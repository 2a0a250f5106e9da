import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Whoever holds leases: the function given to `lease()`, or a scope. Holders nest, so that a wait inside is known
 * to keep everything outside from coming free.
 */
export class Holder {
  readonly parent: Holder | undefined;
  /** Where this holder got its lease, for the report of a deadlock. */
  place: Error | undefined;
  holds = 0;
  #waits = 0;

  constructor(parent: Holder | undefined) {
    this.parent = parent;
  }

  /** Whether somebody inside waits for a lease, so that nothing held here can come free by itself. */
  get isWaiting(): boolean {
    return this.#waits > 0;
  }

  /** The innermost holder in the chain that holds something. */
  holding(): Holder | undefined {
    return this.holds > 0 ? this : this.parent?.holding();
  }

  contains(other: Holder): boolean {
    return this === other || this.parent?.contains(other) === true;
  }

  /** Marks the chain as waiting; returns how to take the mark off. */
  startWaiting(): () => void {
    for (const holder of this.#chain()) holder.#waits += 1;
    return () => {
      for (const holder of this.#chain()) holder.#waits -= 1;
    };
  }

  *#chain(): Generator<Holder> {
    for (let holder: Holder | undefined = this; holder !== undefined; holder = holder.parent) yield holder;
  }
}

/** The holder of the current asynchronous call, inside the function given to `lease()`. */
export const currentHolder = new AsyncLocalStorage<Holder>();
