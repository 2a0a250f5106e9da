import { setTimeout as sleep } from 'node:timers/promises';
import { endsByItself, type FaultKind } from './fault.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** What happens to the process of the application. */
export const PROCESS_FAULTS: readonly FaultKind[] = [
  {
    name: 'event loop blocked',
    layer: 'process',
    ms: [200, 3_000],
    keepsConnections: true,
    start: async ({ ms }) => {
      for (const until = performance.now() + ms; performance.now() < until; );
      return endsByItself;
    },
  },
  {
    name: 'clock jump',
    layer: 'process',
    ms: [100, 1_000],
    keepsConnections: true,
    start: async ({ ms, random }) => {
      const restore = shiftDate(random.integer(-DAY_MS, DAY_MS));
      await sleep(ms);
      restore();
      return endsByItself;
    },
  },
];

/** Date is all that jumps with the clock of the machine: performance.now() and timers are monotonic. */
function shiftDate(byMs: number): () => void {
  const real = globalThis.Date;
  globalThis.Date = class extends real {
    constructor(...args: [] | [number | string]) {
      if (args.length === 0) super(real.now() + byMs);
      else super(args[0]);
    }
    static override now(): number {
      return real.now() + byMs;
    }
  } as DateConstructor;
  return () => {
    globalThis.Date = real;
  };
}
