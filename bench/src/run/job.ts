import type { Results, Stamp } from '../results/results-file.js';
import type { RunContext } from './run-context.js';

/** Puts what was measured into its place. */
type Store = (results: Results, stamp: Stamp) => void;

/** One thing to measure. `--only` chooses by its id, under which a later run replaces it. */
export interface Job {
  readonly id: string;
  measure(context: RunContext): Promise<Store>;
}
