import type { CommandArgument, PoolCommand } from '../commands/command.js';
import { withBlockingTimeout } from './blocking-timeout.js';
import type { LeaseConnection } from './lease-connection.js';
import { withConcreteIds } from './stream-ids.js';

/** Where UNBLOCK is forbidden, the server is asked to wait no longer than this at a time. */
const SLICE_MS = 500;

/** Whether a command that waits at the server can only be ended by not letting it wait for long. */
export function needsSlices(
  command: PoolCommand,
  lease: LeaseConnection,
  ownMs: number | undefined,
): boolean {
  // Where the timeout of an unknown command stands is a guess: good enough for a limit, not to change it.
  return lease.unblockId === undefined && ownMs !== undefined && command.profile.class !== 'unknown';
}

/**
 * Many short waits instead of one long: cancelling takes until the end of the current one. Resolves with `null` when
 * the time is over or `isCancelled`.
 */
export async function waitInSlices(
  command: PoolCommand,
  lease: LeaseConnection,
  { ownMs, send, isCancelled }: SlicedWaitOptions,
): Promise<unknown> {
  const endsAt = ownMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + ownMs;
  const args = await withConcreteIds(command, lease);
  if (args === undefined) return isCancelled() ? null : send(command.args);
  let leftMs = Math.min(SLICE_MS, Math.max(1, Math.ceil(ownMs === 0 ? SLICE_MS : ownMs)));
  while (leftMs > 0 && !isCancelled()) {
    const value = await send(withBlockingTimeout(command, args, leftMs));
    if (value !== null) return value;
    leftMs = Math.min(SLICE_MS, Math.ceil(endsAt - performance.now()));
  }
  return null;
}

export interface SlicedWaitOptions {
  /** How long the caller wants to wait, ms; 0: for ever. */
  readonly ownMs: number;
  send(args: CommandArgument[]): Promise<unknown>;
  isCancelled(): boolean;
}
