import type { End } from './end-of-call.js';
import type { Finding } from './write-ledger.js';

/**
 * Law 9: what one caller appended stands in the order of its calls. A call that was told `maybe` may lie on a lost
 * connection and arrive late; it may be overtaken, and nothing else.
 */
export function judgeOrder(list: readonly number[], endOf: (call: number) => End): Finding[] {
  const findings: Finding[] = [];
  let latest = -1;
  const seen = new Set<number>();
  for (const call of list) {
    if (seen.has(call)) findings.push({ invariant: 'doubleWrites', what: `append ${call} ran twice` });
    else if (call < latest && endOf(call) !== 'maybe')
      findings.push({
        invariant: 'brokenOrder',
        what: `append ${call} (${endOf(call)}) ran after ${latest}`,
      });
    seen.add(call);
    latest = Math.max(latest, call);
  }
  return findings;
}
