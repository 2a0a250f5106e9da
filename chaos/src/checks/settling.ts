import { LoopLag } from './loop-lag.js';
import type { Violations } from './violations.js';

/** Law 3 says 50 ms; the rest is for a machine that others use too. */
const GRACE_MS = 250;
/** A promise that is so late is taken for one that never settles. */
const NEVER_MS = 5_000;
const LOOK_EVERY_MS = 250;

/** A promise that has to settle by a moment. */
export interface Expectation {
  /** From now on it has only so long. */
  hurry(limitMs: number): void;
}

interface Entry {
  readonly what: string;
  readonly calledAt: number;
  dueAt: number;
}

/** Watches that every promise settles by its deadline, whatever the network does. */
export class Settling {
  /** The latest of all, beyond its deadline and what held up the event loop, ms. */
  worstMs = 0;
  worstWhat = 'nothing';
  settled = 0;
  readonly #open = new Set<Entry>();
  readonly #violations: Violations;
  readonly #lag = new LoopLag();
  readonly #timer: NodeJS.Timeout;

  constructor(violations: Violations) {
    this.#violations = violations;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  get open(): number {
    return this.#open.size;
  }

  get longestStallMs(): number {
    return this.#lag.longestMs;
  }

  /** `limitMs` from now on. Does not change how the promise settles. */
  watch(promise: PromiseLike<unknown>, what: string, limitMs: number): Expectation {
    const calledAt = performance.now();
    const entry: Entry = { what, calledAt, dueAt: calledAt + limitMs };
    this.#open.add(entry);
    const onSettled = () => this.#onSettled(entry);
    promise.then(onSettled, onSettled);
    return {
      hurry: (ms) => {
        entry.dueAt = Math.min(entry.dueAt, performance.now() + ms);
      },
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#lag.stop();
  }

  #onSettled(entry: Entry): void {
    if (!this.#open.delete(entry)) return;
    this.settled += 1;
    const lateMs = this.#lateMs(entry);
    if (lateMs > this.worstMs) {
      this.worstMs = lateMs;
      this.worstWhat = entry.what;
    }
    if (lateMs > GRACE_MS)
      this.#violations.add('unsettled', `${entry.what} settled ${Math.round(lateMs)} ms late`);
  }

  #lateMs({ calledAt, dueAt }: Entry): number {
    const now = performance.now();
    if (now <= dueAt) return 0;
    // A stall right before the deadline leaves a backlog that is worked off after it.
    const before = Math.max(calledAt, dueAt - GRACE_MS);
    return now - dueAt - this.#lag.heldUpMs(before, now);
  }

  #look(): void {
    for (const entry of this.#open) {
      if (this.#lateMs(entry) < NEVER_MS) continue;
      this.#open.delete(entry);
      this.#violations.add('unsettled', `${entry.what} did not settle`);
    }
  }
}
