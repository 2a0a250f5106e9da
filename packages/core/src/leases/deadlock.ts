import type { Holder, WaitingHolders } from './holder.js';

/**
 * Whoever has a connection: a holder, whose lease ends with it; `someone`, who may give it back at any moment; or a
 * single command, which ends by itself.
 */
export type Tenant = Holder | 'someone' | 'command';

export interface DeadlockQuestion {
  /** Who is about to wait. */
  readonly holder: Holder;
  /** Who has the connections now, one for each. */
  readonly tenants: Iterable<Tenant>;
  /** Connections that are leased; those without a tenant are on their way to somebody, or back. */
  readonly leased: number;
  readonly waiting: WaitingHolders;
}

/**
 * Whether a wait can have no end: every lease is held by the one who asks, or by somebody who waits for another.
 * What may come free in any other way counts as free, so that nobody who only waits is ever refused.
 */
export function isDeadlock({ holder, tenants, leased, waiting }: DeadlockQuestion): boolean {
  let stuck = 0;
  for (const tenant of tenants) {
    if (typeof tenant === 'object' && (waiting.has(tenant) || holder.contains(tenant))) stuck += 1;
  }
  return stuck >= leased;
}
