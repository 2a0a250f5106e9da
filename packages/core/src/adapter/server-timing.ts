import type { ScopeUsage } from '../scope/scope-options.js';

/** One metric of a `Server-Timing` header (W3C Server Timing, section 2): its name, a duration in ms, and a text. */
export function formatTiming(
  { commands, leases, waitedMs }: ScopeUsage,
  namespace: string | undefined,
): string {
  const name = namespace === undefined ? 'redis' : `redis-${namespace.replace(/[^A-Za-z0-9_-]/g, '_')}`;
  return `${name};dur=${waitedMs.toFixed(2)};desc="${count(commands, 'command')}, ${count(leases, 'lease')}"`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
