import type { Place } from '../errors/place.js';
import type { RedisLease } from './lease.js';

/** A lease that its scope left behind. */
export interface ForgottenLease {
  readonly label: string;
  readonly afterMs: number;
  readonly place: Place;
}

/** In how many looks the time without a use is measured: it is over at most a quarter too late. */
const LOOKS = 4;

/**
 * Takes leases back from scopes that have ended. One that is used is never torn away: it has to lie unused for the
 * whole time, with nothing unanswered.
 */
export class ForgottenLeases {
  readonly #report: (lease: ForgottenLease) => void;
  readonly #watched = new Map<RedisLease, NodeJS.Timeout>();

  constructor(report: (lease: ForgottenLease) => void) {
    this.#report = report;
  }

  watch(lease: RedisLease, details: ForgottenLease): void {
    if (this.#watched.has(lease) || lease.released) return;
    let seen = lease.use;
    let unusedLooks = 0;
    const look = (): void => {
      unusedLooks = lease.use === seen && seen !== 'busy' ? unusedLooks + 1 : 0;
      seen = lease.use;
      if (unusedLooks === LOOKS) this.#takeBack(lease, details);
    };
    this.#watched.set(lease, setInterval(look, Math.max(1, details.afterMs / LOOKS)).unref());
  }

  /** To be called for a lease that was released. */
  unwatch(lease: RedisLease): void {
    clearInterval(this.#watched.get(lease));
    this.#watched.delete(lease);
  }

  close(): void {
    for (const lease of [...this.#watched.keys()]) this.unwatch(lease);
  }

  #takeBack(lease: RedisLease, details: ForgottenLease): void {
    const { label, afterMs } = details;
    this.unwatch(lease);
    void lease.takeBack(
      `taken back: ${label} had ended and did not use it for ${afterMs} ms (forgottenLeaseMs)`,
    );
    this.#report(details);
  }
}
