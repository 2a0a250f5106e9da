import type { Timing } from '../cell/cell-spec.js';
import type { LoadGenerator } from '../http/load-generators.js';
import type { BenchServer } from './bench-server.js';

/** What every measurement is given. */
export interface RunContext {
  readonly server: BenchServer;
  readonly timing: Timing;
  readonly loadGenerator: LoadGenerator;
  /** Says what is going on; shown on a terminal. */
  readonly progress: (text: string) => void;
}
