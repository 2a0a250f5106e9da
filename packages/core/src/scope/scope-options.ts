import { flag, foreign, isFunction, milliseconds, oneOf } from '../options/option-rules.js';

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

const aSignal = foreign<AbortSignal>('an AbortSignal', (value) => value instanceof AbortSignal);
const aDuration = milliseconds(1);
const aLabel = foreign<string | (() => string)>('a string or a function', isString, isFunction);
const anOnHangUp = oneOf('finish', 'abort');

/** Called for every request: option by option, with nothing made. @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkScopeOptions(options: ScopeOptions): void {
  const { signal, timeoutMs, label, onHangUp, forgottenLeaseMs, timed } = options;
  if (signal !== undefined) aSignal(signal, 'signal');
  if (timeoutMs !== undefined) aDuration(timeoutMs, 'timeoutMs');
  if (label !== undefined) aLabel(label, 'label');
  if (onHangUp !== undefined) anOnHangUp(onHangUp, 'onHangUp');
  if (forgottenLeaseMs !== undefined) aDuration(forgottenLeaseMs, 'forgottenLeaseMs');
  if (timed !== undefined) flag(timed, 'timed');
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}
