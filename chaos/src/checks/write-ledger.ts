import type { End } from './end-of-call.js';
import type { Invariant } from './violations.js';

/** What does not fit between what a caller was told and what the server has. */
export interface Finding {
  readonly invariant: Invariant;
  readonly what: string;
}

const CODES: readonly End[] = ['open', 'acknowledged', 'never', 'maybe'];
const MOST_IDS = 4_000_000;

/** `ran`: how often the server executed a write whose caller was told `end`. */
export function judgeWrite(end: End, ran: number): Finding | undefined {
  if (ran > 1) return { invariant: 'doubleWrites', what: `a write (${end}) ran ${ran} times` };
  if (end === 'open') return { invariant: 'unsettled', what: 'a write was never settled' };
  const isTrue = end === 'maybe' || ran === (end === 'acknowledged' ? 1 : 0);
  if (isTrue) return undefined;
  return { invariant: 'falseOutcomes', what: `a write (${end}) ran ${ran} times` };
}

/**
 * The ends of all writes by their ids, from 0 on. Outside the heap and of a fixed size, so that it does not hide
 * what the pool keeps.
 */
export class WriteLedger {
  readonly #ends = new Uint8Array(MOST_IDS);
  readonly #steps = new Uint16Array(MOST_IDS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** A new write, begun in that step of the plan. */
  begin(step: number): number {
    if (this.#count === MOST_IDS) throw new Error(`A run is limited to ${MOST_IDS} writes`);
    const id = this.#count;
    this.#steps[id] = step;
    this.#count += 1;
    return id;
  }

  settle(id: number, end: End): void {
    this.#ends[id] = CODES.indexOf(end);
  }

  endOf(id: number): End {
    return CODES[this.#ends[id] ?? 0] ?? 'open';
  }

  stepOf(id: number): number {
    return this.#steps[id] ?? 0;
  }

  tally(): Record<End, number> {
    const tally: Record<End, number> = { open: 0, acknowledged: 0, never: 0, maybe: 0 };
    for (let id = 0; id < this.#count; id += 1) tally[this.endOf(id)] += 1;
    return tally;
  }
}
