import { ACCOUNT_FAULTS } from './account-faults.js';
import type { FaultKind } from './fault.js';
import { NETWORK_FAULTS } from './network-faults.js';
import { PROCESS_FAULTS } from './process-faults.js';
import { SERVER_FAULTS } from './server-faults.js';

export const ALL_FAULTS: readonly FaultKind[] = [
  ...SERVER_FAULTS,
  ...ACCOUNT_FAULTS,
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
];
