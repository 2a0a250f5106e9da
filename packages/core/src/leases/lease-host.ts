import type { ConnectionBudget } from '../connection-budget.js';
import type { Counters } from '../counters.js';
import type { CutList } from '../cut-list.js';
import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { ConnectionWatch } from '../transport/connection-watch.js';
import type { DialCoordinator } from '../transport/dial-coordinator.js';
import type { LoopDelay } from '../transport/loop-delay.js';

/** A command of the pool itself. */
export type OwnCall = readonly [name: string, ...args: string[]];

/** What leases need of their engine. */
export interface LeaseHost {
  readonly options: ResolvedOptions;
  readonly budget: ConnectionBudget;
  readonly counters: Counters;
  readonly cuts: CutList;
  readonly delay: LoopDelay;
  readonly watch: ConnectionWatch;
  readonly dials: DialCoordinator;
  /** Whether a lane is up: leases follow where a lane could go, so that an outage is probed by the lanes alone. */
  readonly isUp: boolean;
  readonly lastDialError: unknown;
  start(): void;
  /** See {@link ServerTrust}. */
  replaceUseless(reason: string): boolean;
  /** A command over a lane. */
  call(name: string, ...args: string[]): Promise<unknown>;
  /** Commands that go one right behind the other over the same lane. */
  callTogether(calls: readonly OwnCall[]): Promise<unknown>[];
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
  leaseReturned(): void;
  /** To be told of each error reply. `true`: the server ran nothing, and another one may do it. */
  isElsewhere(error: Error): boolean;
}
