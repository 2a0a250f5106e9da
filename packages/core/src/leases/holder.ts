import { AsyncLocalStorage } from 'node:async_hooks';
import type { Place } from '../errors/place.js';

/**
 * Whoever holds leases: the function given to `lease()`, or a scope. Holders nest, so that a wait inside is known
 * to keep everything outside from coming free.
 */
export class Holder {
  readonly parent: Holder | undefined;
  /** Where this holder got its lease, for the report of a deadlock. */
  place: Place | undefined;
  holds = 0;

  constructor(parent: Holder | undefined) {
    this.parent = parent;
  }

  /** The innermost holder in the chain that holds something. */
  holding(): Holder | undefined {
    return this.holds > 0 ? this : this.parent?.holding();
  }

  contains(other: Holder): boolean {
    return this === other || this.parent?.contains(other) === true;
  }

  /** This holder and those around it, from the inside out. */
  *chain(): Generator<Holder> {
    for (let holder: Holder | undefined = this; holder !== undefined; holder = holder.parent) yield holder;
  }
}

const storage = new AsyncLocalStorage<Holder>();
let running = 0;

/** The holder of the current asynchronous call, inside the function given to `lease()`. */
export function currentHolder(): Holder | undefined {
  return storage.getStore();
}

/** Runs the function given to `lease()`. */
export async function runInside<T>(holder: Holder, fn: () => Promise<T> | T): Promise<T> {
  running += 1;
  try {
    return await storage.run(holder, fn);
  } finally {
    running -= 1;
    // While it is on, every promise of the process costs more: a tenth of the throughput of the lanes.
    if (running === 0) storage.disable();
  }
}

/** Whether the process pays for knowing the current holder. */
export function isTracking(): boolean {
  return running > 0 || Reflect.get(storage, 'enabled') === true;
}

/**
 * Which holders have somebody inside who waits for a lease, so that nothing held there can come free by itself. One
 * for each pool: holders reach over pools, but who waits for the lease of one does not wait for those of another.
 */
export class WaitingHolders {
  readonly #waits = new Map<Holder, number>();

  has(holder: Holder): boolean {
    return this.#waits.has(holder);
  }

  add(holder: Holder): void {
    for (const each of holder.chain()) this.#waits.set(each, (this.#waits.get(each) ?? 0) + 1);
  }

  remove(holder: Holder): void {
    for (const each of holder.chain()) {
      const waits = this.#waits.get(each) ?? 0;
      if (waits > 1) this.#waits.set(each, waits - 1);
      else this.#waits.delete(each);
    }
  }
}
