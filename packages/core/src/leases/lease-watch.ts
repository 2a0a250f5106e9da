import type { Place } from '../errors/place.js';
import type { LeaseSlot } from './leases.js';

interface Watched {
  readonly since: number;
  readonly place: Place;
}

/** Reports each lease that is held for too long, once, with the place where it was acquired. */
export class LeaseWatch {
  readonly #afterMs: number;
  readonly #report: (heldMs: number, place: Place) => void;
  // In the order of acquiring, which is the order in which they fall due.
  readonly #held = new Map<LeaseSlot, Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** `afterMs` 0: nothing is watched. */
  constructor(afterMs: number, report: (heldMs: number, place: Place) => void) {
    this.#afterMs = afterMs;
    this.#report = report;
  }

  add(slot: LeaseSlot, place: Place): void {
    if (this.#afterMs === 0) return;
    this.#held.set(slot, { since: performance.now(), place });
    if (this.#timer === undefined) this.#schedule(this.#afterMs);
  }

  remove(slot: LeaseSlot): void {
    this.#held.delete(slot);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held.clear();
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.max(1, delayMs));
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [slot, { since, place }] of this.#held) {
      if (now - since < this.#afterMs) {
        this.#schedule(this.#afterMs - (now - since));
        return;
      }
      this.#held.delete(slot);
      this.#report(now - since, place);
    }
  }
}
