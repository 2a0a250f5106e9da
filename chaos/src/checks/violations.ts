/** What must hold during a run; each is counted in the report. */
export const INVARIANTS = {
  wrongReplies: 'wrong replies',
  doubleWrites: 'double writes',
  falseOutcomes: 'writes whose caller was told something else',
  lostElements: 'lost or doubled elements',
  unsettled: 'promises not settled in time',
  brokenTransactions: 'broken transactions',
  brokenOrder: 'commands of one caller out of order',
  brokenMessages: 'messages out of order or lost without a gap',
  dirtyLeases: 'leases that came dirty',
  tooManyConnections: 'moments over maxConnections',
  strangeErrors: 'errors that nobody should see',
  leakedSecrets: 'secrets or arguments in logs and errors',
  notRecovered: 'faults without recovery',
  serverCrashes: 'crashes of the server',
  leakedHandles: 'leaked handles, rejections, warnings',
  memoryGrowth: 'growing memory',
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** One broken invariant, and the fault that was on when it was seen. */
export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
  readonly during: string;
}

const KEPT = 50;
const KEPT_OF_A_KIND = 3;

/** Everything that should not have happened. All are counted; the first ones of each kind and step are kept. */
export class Violations {
  readonly counts = new Map<Invariant, number>();
  readonly kept: Violation[] = [];
  readonly #during: () => string;

  constructor(during: () => string) {
    this.#during = during;
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** `during`: where the fault is known better than by the moment. */
  add(invariant: Invariant, what: string, during = this.#during()): void {
    this.counts.set(invariant, (this.counts.get(invariant) ?? 0) + 1);
    const alike = this.kept.filter((one) => one.invariant === invariant && one.during === during);
    if (this.kept.length < KEPT && alike.length < KEPT_OF_A_KIND) this.kept.push({ invariant, what, during });
  }
}
