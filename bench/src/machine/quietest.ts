import { ForeignCpu } from './foreign-cpu.js';

/** Up to this much of the machine used by others, in cores, a window counts as undisturbed. */
const QUIET = 0.2;

/** When a window is measured again. */
export interface Patience {
  /** The processes of the measurement; all others are foreign. */
  readonly pids: readonly number[];
  /** How often a disturbed window is measured again. */
  readonly retries: number;
}

/**
 * Measures until others leave the machine alone, or the retries are used up, and returns the least disturbed
 * measurement. What others used decides, never the result.
 */
export async function quietest<T>(measure: () => Promise<T>, { pids, retries }: Patience): Promise<T> {
  let best = await observed(measure, pids);
  for (let retry = 0; retry < retries && best.foreignCores > QUIET; retry += 1) {
    const next = await observed(measure, pids);
    if (next.foreignCores < best.foreignCores) best = next;
  }
  return best.result;
}

async function observed<T>(measure: () => Promise<T>, pids: readonly number[]) {
  const foreign = new ForeignCpu(pids);
  const result = await measure();
  return { result, foreignCores: foreign.cores() };
}
