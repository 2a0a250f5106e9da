import { expect, test } from 'vitest';
import { formatTiming } from './server-timing.js';

test.each([
  [{ commands: 0, leases: 0, waitedMs: 0 }, undefined, 'redis;dur=0.00;desc="0 commands, 0 leases"'],
  [{ commands: 1, leases: 1, waitedMs: 1.005 }, undefined, 'redis;dur=1.00;desc="1 command, 1 lease"'],
  [
    { commands: 2, leases: 2, waitedMs: 12.346 },
    'cache',
    'redis-cache;dur=12.35;desc="2 commands, 2 leases"',
  ],
  // The name of a metric is a token: what is none would break the header, or end it.
  [
    { commands: 2, leases: 0, waitedMs: 1 },
    'a b,c;"d"\r\né',
    'redis-a_b_c__d____;dur=1.00;desc="2 commands, 0 leases"',
  ],
])('%o of %o is one metric of a Server-Timing header', (usage, namespace, metric) => {
  expect(formatTiming(usage, namespace)).toBe(metric);
});
