import type { PoolCommand } from '../commands/command.js';
import type { LeaseConnection } from './lease-connection.js';

/** How long a server that does not answer may delay the end of a cancelled wait; then the connection goes. */
const UNBLOCK_LIMIT_MS = 1_000;
const LONGEST_PAUSE_MS = 50;

/** What ending a wait needs of its engine. */
export interface UnblockingHost {
  /** CLIENT UNBLOCK from another connection. Resolves with whether that client was blocked. */
  unblock(clientId: number): Promise<boolean>;
  /** Closes a connection whose server did not end the wait in time. */
  giveUp(lease: LeaseConnection): void;
}

/**
 * Has the server end the waits of a connection, again and again until it owes no reply: UNBLOCK goes by another
 * connection and may be there before the command, or before the next one that waits. Never rejects.
 *
 * Until it resolves an UNBLOCK may be under way, which would end the wait of the next holder too.
 */
export function endWaits(
  host: UnblockingHost,
  lease: LeaseConnection,
  limitMs = UNBLOCK_LIMIT_MS,
): Promise<void> {
  lease.unblocking ??= unblockUntilAnswered(host, lease, limitMs).finally(() => {
    lease.unblocking = undefined;
  });
  return lease.unblocking;
}

async function unblockUntilAnswered(
  host: UnblockingHost,
  lease: LeaseConnection,
  limitMs: number,
): Promise<void> {
  const limit = limitSilence(host, lease, limitMs);
  for (let pauseMs = 1; lease.inFlight > 0; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (lease.unblockId !== undefined) await host.unblock(lease.unblockId).catch(() => false);
    if (lease.inFlight > 0) await pause(pauseMs);
  }
  limit.end();
}

/** Gives the connection up after `limitMs`, unless the server answers in the very turn that the limit passes in. */
function limitSilence(host: UnblockingHost, lease: LeaseConnection, limitMs: number): { end(): void } {
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    timer = setTimeout(() => judge(lease.oldest), limitMs);
  };
  // Timers run before I/O: after a blocked event loop the reply may lie in the socket, and an element in it.
  const judge = (late: PoolCommand | undefined): void => {
    setImmediate(() => {
      if (timer === undefined || lease.inFlight === 0) return;
      if (lease.oldest === late) host.giveUp(lease);
      else arm();
    });
  };
  arm();
  return {
    end() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
