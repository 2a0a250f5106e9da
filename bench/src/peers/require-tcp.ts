import type { Target } from './peer.js';

/** For peers that are measured over TCP only. */
export function requireTcp(target: Target): Extract<Target, { transport: 'tcp' }> {
  if (target.transport === 'tcp') return target;
  throw new Error(`This peer is not measured over ${target.transport}`);
}
