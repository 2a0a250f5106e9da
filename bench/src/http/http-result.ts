import type { Timing } from '../cell/cell-spec.js';
import type { CommandCount } from './app.js';
import type { LoadGenerator } from './load-generators.js';
import type { VariantId } from './variant.js';

/** One variant with one route. The lists have one entry a round; entries of one round belong together. */
export interface VariantMeasurement {
  readonly requestsPerSecond: readonly number[];
  readonly p50Ms: readonly number[];
  readonly p99Ms: readonly number[];
  /** CPU time of the process of the app. */
  readonly cpuUsPerRequest: readonly number[];
  /** Cores that the load generator used. */
  readonly loadCores: readonly number[];
}

type ByVariant<T> = Readonly<Partial<Record<VariantId, T>>>;

export interface HttpResult {
  readonly commands: CommandCount;
  readonly connections: number;
  readonly loadGenerator: LoadGenerator;
  readonly timing: Timing;
  readonly variants: ByVariant<VariantMeasurement>;
  readonly failures: ByVariant<string>;
}
