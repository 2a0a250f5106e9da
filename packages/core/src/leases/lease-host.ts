import type { ConnectionBudget } from '../connection-budget.js';
import type { Counters } from '../counters.js';
import type { CutList } from '../cut-list.js';
import type { RedisPoolError, RedisPoolErrorCode } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';

/** What leases need of their engine. */
export interface LeaseHost {
  readonly options: ResolvedOptions;
  readonly budget: ConnectionBudget;
  readonly counters: Counters;
  readonly cuts: CutList;
  /** Whether a lane is up: leases follow where a lane could go, so that an outage is probed by the lanes alone. */
  readonly isUp: boolean;
  readonly lastDialError: unknown;
  start(): void;
  /** A command over a lane. */
  call(name: string, ...args: string[]): Promise<unknown>;
  error(
    code: RedisPoolErrorCode,
    reason: string,
    details?: { cause?: unknown; maybeExecuted?: boolean },
  ): RedisPoolError;
  leaseReturned(): void;
}
