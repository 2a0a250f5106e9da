import { RedisPoolError } from '../errors/errors.js';

/**
 * What the end of a client's connection does to a scope.
 *
 * - `finish`: cuts what would wait for a client that is gone, parked blocking commands and subscriptions; everything
 *   else runs to its end.
 * - `abort`: also drops commands that were not sent yet and waits for a lease, and rejects later commands. A write
 *   that was sent is left to finish, and its caller gets the reply.
 */
export type OnHangUp = 'finish' | 'abort';

/** What binds a scope to its caller. */
export interface ScopeOptions {
  /**
   * Ends the scope: running commands reject with its reason (those already sent are left to finish at the server),
   * later ones too.
   */
  readonly signal?: AbortSignal | undefined;
  /** Time of the whole scope from now on, ms, from 1. @default none; each command has its own commandTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /** Name of the caller, for reports: a route, a job. A function is called when a report is made. @default 'a scope' */
  readonly label?: string | (() => string) | undefined;
  /** What `end({ hungUp: true })` does. @default 'finish' */
  readonly onHangUp?: OnHangUp | undefined;
  /** How long a lease may lie unused after the scope ended before it is taken back, ms, from 1. @default 1_000 */
  readonly forgottenLeaseMs?: number | undefined;
  /** Whether `usage()` measures the time waited; it costs each command a little. @default false */
  readonly timed?: boolean | undefined;
}

/** What a scope has used so far. */
export interface ScopeUsage {
  /** Commands called, those in pipelines counted one by one; those on its leases are not among them. */
  readonly commands: number;
  readonly leases: number;
  /** Time in which at least one command or wait for a lease was unanswered, ms; 0 unless `timed`. */
  readonly waitedMs: number;
}

/** How a scope came to its end. */
export interface ScopeEnd {
  /** Whether its client left before it had its response. @default false */
  readonly hungUp?: boolean | undefined;
}

const LONGEST_MS = 2_147_483_647;
const ON_HANG_UP: readonly unknown[] = ['finish', 'abort'] satisfies OnHangUp[];

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkScopeOptions(options: ScopeOptions): void {
  const { signal, timeoutMs, onHangUp, forgottenLeaseMs } = options;
  checkMs('timeoutMs', timeoutMs);
  checkMs('forgottenLeaseMs', forgottenLeaseMs);
  if (onHangUp !== undefined && !ON_HANG_UP.includes(onHangUp)) {
    throw mustBe('onHangUp', "'finish' or 'abort'", onHangUp);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw mustBe('signal', 'an AbortSignal', typeof signal);
  }
}

function checkMs(name: string, value: number | undefined): void {
  if (value === undefined || (value > 0 && value <= LONGEST_MS)) return;
  throw mustBe(name, `a number of ms from 1 to ${LONGEST_MS}`, value);
}

function mustBe(name: string, rule: string, received: unknown): RedisPoolError {
  return new RedisPoolError(
    'RP_ERR_INVALID_OPTION',
    `Option "${name}" must be ${rule}, received ${String(received)}`,
  );
}
