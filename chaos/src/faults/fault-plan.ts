import { Random } from '@redis-pool/testkit';
import type { FaultKind } from './fault.js';

/** A fault with everything that chance decides about it. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly ms: number;
  /** Of the random numbers that the fault itself draws. */
  readonly seed: number;
}

/** One or two faults, and a pause. */
export interface PlannedStep {
  readonly index: number;
  readonly fault: PlannedFault;
  /** Begins `afterMs` after the other one, in another layer. */
  readonly overlap: (PlannedFault & { readonly afterMs: number }) | undefined;
  /** Load without a fault after the recovery. */
  readonly calmMs: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  /** Lengths of faults and pauses are multiplied with it. @default 1 */
  readonly pace?: number;
}

const OVERLAP_CHANCE = 0.35;
const CALM_MS = [50, 600] as const;

/** Endless, and the same for the same seed: every kind once in each round, in another order each time. */
export function* planFaults({ seed, kinds, pace = 1 }: PlanOptions): Generator<PlannedStep, never> {
  const random = new Random(seed);
  const plan = (kind: FaultKind): PlannedFault => ({
    kind,
    ms: Math.round(random.integer(...kind.ms) * pace),
    seed: random.integer(0, 2 ** 32 - 1),
  });
  let deck: FaultKind[] = [];
  for (let index = 0; ; index += 1) {
    if (deck.length === 0) deck = shuffle(kinds, random);
    const fault = plan(deck.pop() as FaultKind);
    const partners = kinds.filter((kind) => mayOverlap(kind, fault.kind));
    const overlaps = random.chance(OVERLAP_CHANCE) && partners.length > 0;
    const overlap = overlaps
      ? { ...plan(random.pick(partners)), afterMs: random.integer(0, fault.ms) }
      : undefined;
    yield { index, fault, overlap, calmMs: Math.round(random.integer(...CALM_MS) * pace) };
  }
}

function mayOverlap(one: FaultKind, other: FaultKind): boolean {
  const isAlone = (kind: FaultKind) => kind.recoversDuring === true;
  return one.layer !== other.layer && !isAlone(one) && !isAlone(other);
}

function shuffle<T>(members: readonly T[], random: Random): T[] {
  const left = [...members];
  const shuffled: T[] = [];
  while (left.length > 0) shuffled.push(...left.splice(random.integer(0, left.length - 1), 1));
  return shuffled;
}

/** How a step is named in the report. */
export function describeStep({ index, fault, overlap }: PlannedStep): string {
  const name = ({ kind, ms }: PlannedFault) => (ms === 0 ? kind.name : `${kind.name} for ${ms} ms`);
  const second = overlap === undefined ? '' : ` + ${name(overlap)} after ${overlap.afterMs} ms`;
  return `step ${index}: ${name(fault)}${second}`;
}
