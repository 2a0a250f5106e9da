/** The hard limit of connections of an engine (law 4): a place is taken before anything is opened for it. */
export class ConnectionBudget {
  readonly max: number;
  #used: number;

  /** `fixed`: places that are taken for good, for the lanes. */
  constructor(max: number, fixed: number) {
    this.max = max;
    this.#used = fixed;
  }

  get used(): number {
    return this.#used;
  }

  reserve(): boolean {
    if (this.#used >= this.max) return false;
    this.#used += 1;
    return true;
  }

  free(): void {
    this.#used -= 1;
  }
}
