import type { PoolCommand } from '../commands/command.js';
import type { BlockingHost, BlockingWork, CancelReason } from './blocking-call.js';
import { waitClassOf, waitLimitMs, waitOf } from './blocking-timeout.js';
import { endWaits } from './end-waits.js';
import type { LeaseConnection } from './lease-connection.js';
import { sliceMsOf, waitInSlices } from './sliced-wait.js';

/**
 * The commands of a pipeline of which some wait at the server. A cancelled wait ends as if its time was over: what
 * the others brought is handed over with it (law 7).
 */
export class BlockingChain implements BlockingWork {
  readonly #host: BlockingHost;
  readonly #commands: readonly PoolCommand[];
  readonly #lease: LeaseConnection;
  #isSent = false;
  #isCancelled = false;
  #isOver = false;

  constructor(host: BlockingHost, commands: readonly PoolCommand[], lease: LeaseConnection) {
    this.#host = host;
    this.#commands = commands;
    this.#lease = lease;
  }

  async run(): Promise<() => void> {
    // An UNBLOCK that is still under way would end these waits too.
    if (this.#lease.unblocking !== undefined) await this.#lease.unblocking;
    if (this.#isCancelled) return nothing;
    this.#isSent = true;
    const timers = this.#watchTheClock();
    const outcomes = this.#commands.map(holdBack);
    await this.#sendAll();
    const settle = await Promise.all(outcomes);
    this.#isOver = true;
    for (const timer of timers) clearTimeout(timer);
    return () => {
      for (const settleOne of settle) settleOne();
    };
  }

  cancel(reason: CancelReason): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    if (this.#isSent) void endWaits(this.#host, this.#lease);
    else for (const command of this.#commands) command.fail(reason(false));
  }

  /** As that of a blocking call, with the waits of all of them. */
  #watchTheClock(): NodeJS.Timeout[] {
    const { commandTimeoutMs } = this.#host;
    const limitMs = waitLimitMs(waitOf(this.#commands), commandTimeoutMs);
    if (limitMs === undefined) return [];
    const remind = (): void => void endWaits(this.#host, this.#lease, commandTimeoutMs);
    const end = (): void => {
      const unanswered = this.#commands.filter(({ settled }) => !settled);
      if (this.#isOver || unanswered[0] === undefined) return;
      const error = this.#host.timeoutError(unanswered[0], limitMs);
      for (const command of unanswered) command.fail(error);
      this.#host.giveUp(this.#lease);
    };
    return [setTimeout(remind, limitMs - commandTimeoutMs / 2), setTimeout(setImmediate, limitMs, end)];
  }

  /** A wait in slices keeps back what comes after it; what the holder of a lease sends next would overtake that (law 9). */
  async #sendAll(): Promise<void> {
    const mayHoldBack = !this.#lease.isHeld || this.#lease.unblockId === undefined;
    for (const command of this.#commands) {
      const isWait = mayHoldBack && waitClassOf(command) === 'blocking';
      const sliceMs = isWait ? sliceMsOf(command, this.#lease, this.#host) : undefined;
      if (sliceMs === undefined) this.#lease.send(command, undefined);
      else await this.#waitInSlices(command, sliceMs);
    }
  }

  async #waitInSlices(command: PoolCommand, sliceMs: number): Promise<void> {
    try {
      const value = await waitInSlices(command, this.#lease, {
        sliceMs,
        host: this.#host,
        send: (args) => this.#lease.sendCopy(command, args),
        isCancelled: () => this.#isCancelled,
      });
      command.fulfil(value, false);
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') command.refuse(error);
      else command.fail(error);
    }
  }
}

function nothing(): void {}

/** Keeps back what comes of a command; resolves, when that is known, with what lets it go. */
function holdBack(command: PoolCommand): Promise<() => void> {
  return new Promise((resolve) => {
    const { onFulfilled, onRejected } = command;
    command.onFulfilled = (value) => resolve(() => onFulfilled(value));
    command.onRejected = (error) => resolve(() => onRejected(error));
  });
}
