import { describe } from 'vitest';
import { abortedRequests } from './aborted-requests.js';
import { deadline } from './deadline.js';
import { drain } from './drain.js';
import { eventStreams } from './event-streams.js';
import { forgottenLeases } from './forgotten-leases.js';
import { hangUpAbort } from './hang-up-abort.js';
import { hangUpFinish } from './hang-up-finish.js';
import type { AdapterHarness } from './harness.js';
import { injection } from './injection.js';
import { naming } from './naming.js';
import { noHangUp } from './no-hang-up.js';
import { reload } from './reload.js';
import { retryLater } from './retry-later.js';
import { serverTiming } from './server-timing.js';
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
  deadline,
  'forgotten leases': forgottenLeases,
  'Server-Timing': serverTiming,
  'event streams': eventStreams,
  drain,
  reload,
  'aborted requests': abortedRequests,
};

/** What every adapter promises, as tests: to be called in a test file of the adapter. */
export function adapterContract(harness: AdapterHarness): void {
  describe(harness.name, () => {
    const bed = new Testbed(harness);
    for (const [name, topic] of Object.entries(TOPICS)) describe(name, () => topic(bed));
  });
}
