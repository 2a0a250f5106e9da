import { describe } from 'vitest';
import type { AdapterHarness } from './harness.js';
import { injection } from './injection.js';
import { naming } from './naming.js';
import { sharing } from './sharing.js';
import { startup } from './startup.js';
import { Testbed } from './testbed.js';

export type {
  AdapterHarness,
  ContractApp,
  ContractExchange,
  ContractRoute,
  ContractSetup,
} from './harness.js';

const TOPICS = { injection, sharing, naming, startup };

/** What every adapter promises, as tests: to be called in a test file of the adapter. */
export function adapterContract(harness: AdapterHarness): void {
  describe(harness.name, () => {
    const bed = new Testbed(harness);
    for (const [name, topic] of Object.entries(TOPICS)) describe(name, () => topic(bed));
  });
}
