import type { Timing } from '../cell/cell-spec.js';

/** How much longer than planned a measurement may take by measuring disturbed windows again. */
const STRETCH = 1.3;

/** Bounds the retries of one measurement by time: on a machine that is never quiet they help nobody. */
export class PatienceBudget {
  readonly #retries: number;
  readonly #until: number;

  /** `plannedMs`: all its windows together. */
  constructor({ retries }: Timing, plannedMs: number) {
    this.#retries = retries;
    this.#until = performance.now() + STRETCH * plannedMs;
  }

  /** How often the next window may be measured again. */
  retries(): number {
    return performance.now() < this.#until ? this.#retries : 0;
  }
}
