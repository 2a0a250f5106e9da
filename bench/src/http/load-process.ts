import { serveParent } from '../child/serve-parent.js';
import { loadWithAutocannon } from './autocannon-load.js';
import type { Load, LoadOrder } from './load.js';
import { loadWithSockets } from './socket-load.js';

const GENERATORS = { sockets: loadWithSockets, autocannon: loadWithAutocannon };

// The process that asks.
serveParent<LoadOrder, Load>(async (order) => {
  const cpu = process.cpuUsage();
  const answers = await GENERATORS[order.generator](order);
  const { user, system } = process.cpuUsage(cpu);
  return { ...answers, cpuUs: user + system };
});
