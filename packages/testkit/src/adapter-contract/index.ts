import { describe } from 'vitest';
import type { AdapterHarness } from './harness.js';
import { hangUpAbort } from './hang-up-abort.js';
import { hangUpFinish } from './hang-up-finish.js';
import { injection } from './injection.js';
import { naming } from './naming.js';
import { noHangUp } from './no-hang-up.js';
import { retryLater } from './retry-later.js';
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

const TOPICS = {
  injection,
  sharing,
  naming,
  'start-up': startup,
  'try later': retryLater,
  'hang-up, finish': hangUpFinish,
  'hang-up, abort': hangUpAbort,
  'no hang-up': noHangUp,
};

/** What every adapter promises, as tests: to be called in a test file of the adapter. */
export function adapterContract(harness: AdapterHarness): void {
  describe(harness.name, () => {
    const bed = new Testbed(harness);
    for (const [name, topic] of Object.entries(TOPICS)) describe(name, () => topic(bed));
  });
}
