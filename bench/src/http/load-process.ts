import { serveParent } from '../child/serve-parent.js';
import { loadWithAutocannon } from './autocannon-load.js';
import type { LoadGenerator } from './load-generators.js';
import { loadWithSockets } from './socket-load.js';

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

const GENERATORS = { sockets: loadWithSockets, autocannon: loadWithAutocannon };

// The process that asks.
serveParent<LoadOrder, Load>(async (order) => {
  const cpu = process.cpuUsage();
  const answers = await GENERATORS[order.generator](order);
  const { user, system } = process.cpuUsage(cpu);
  return { ...answers, cpuUs: user + system };
});
