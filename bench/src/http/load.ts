import type { LoadGenerator } from './load-generators.js';

export interface LoadOrder {
  readonly generator: LoadGenerator;
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly windowMs: number;
}

/** What the server answered in one window. */
export interface Answers {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Load extends Answers {
  /** CPU time of the load generator. Close to the length of the window, it was the limit itself. */
  readonly cpuUs: number;
}
