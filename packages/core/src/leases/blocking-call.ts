import type { CommandArgument, PoolCommand } from '../commands/command.js';
import { blockingTimeoutMs, waitLimitMs, withBlockingTimeout } from './blocking-timeout.js';
import { endWaits, type UnblockingHost } from './end-waits.js';
import type { LeaseConnection } from './lease-connection.js';
import { type SlicingHost, sliceMsOf, waitInSlices } from './sliced-wait.js';

/** What a blocking call needs of its engine. */
export interface BlockingHost extends UnblockingHost, SlicingHost {
  readonly commandTimeoutMs: number;
  timeoutError(command: PoolCommand, timeoutMs: number): Error;
  /** Whether an error reply leaves it to another server to run the command. */
  isElsewhere(error: unknown): boolean;
}

/** Makes the error of a cancellation; `maybeExecuted`: the server saw the command and did not say what it did. */
export type CancelReason = (maybeExecuted: boolean) => unknown;

export type GoesOn = (error: unknown) => boolean;

/** Commands of which one waits at the server. */
export interface BlockingWork {
  /** Ends the wait; the first reason counts. */
  cancel(reason: CancelReason): void;
  /**
   * Resolves when everything is answered, with what settles the rest of the commands. Never rejects. `goesOn`: asked
   * about the failure of a command alone; `true`: the same goes again elsewhere, and stays unsettled.
   */
  run(goesOn: GoesOn): Promise<() => void>;
}

/**
 * One blocking command on one connection.
 *
 * Law 7: cancelling loses no element. The server is told to end the wait, its reply is awaited, and a value that
 * came all the same is handed over; only an empty reply rejects with the reason of the cancellation.
 */
export class BlockingCall implements BlockingWork {
  readonly #host: BlockingHost;
  readonly #command: PoolCommand;
  readonly #lease: LeaseConnection;
  #reason: CancelReason | undefined;
  #isOver = false;

  constructor(host: BlockingHost, command: PoolCommand, lease: LeaseConnection) {
    this.#host = host;
    this.#command = command;
    this.#lease = lease;
  }

  async run(goesOn: GoesOn): Promise<() => void> {
    const ownMs = blockingTimeoutMs(this.#command);
    const timers = this.#watchTheClock(ownMs);
    const settle = await this.#outcome(ownMs, goesOn);
    this.#isOver = true;
    for (const timer of timers) clearTimeout(timer);
    return settle;
  }

  cancel(reason: CancelReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    if (this.#isSent) void endWaits(this.#host, this.#lease);
    else this.#command.fail(reason(false));
  }

  get #isSent(): boolean {
    return this.#command.owner !== undefined;
  }

  async #outcome(ownMs: number | undefined, goesOn: GoesOn): Promise<() => void> {
    const startedAt = performance.now();
    try {
      const value = await this.#reply();
      const { settled } = this.#command;
      if (value !== null || this.#reason === undefined || settled)
        return () => this.#command.fulfil(value, false);
      const error = this.#reason(false);
      return () => this.#command.fail(error);
    } catch (error) {
      // The end of its time was told already.
      if (this.#command.settled) return nothing;
      if (this.#reason === undefined && (this.#host.isElsewhere(error) || goesOn(error))) {
        // Whoever has it run goes on with it.
        this.#command.owner = undefined;
        return this.#shorten(ownMs, performance.now() - startedAt);
      }
      return () => this.#command.fail(this.#reason === undefined ? error : this.#reason(true));
    }
  }

  /** Leaves what is left of its time for whoever goes on with it. */
  #shorten(ownMs: number | undefined, elapsedMs: number): () => void {
    if (!ownMs) return nothing;
    const leftMs = Math.ceil(ownMs - elapsedMs);
    if (leftMs <= 0) return () => this.#command.fulfil(null, false);
    this.#command.args = withBlockingTimeout(this.#command, this.#command.args, leftMs);
    return nothing;
  }

  async #reply(): Promise<unknown> {
    // An UNBLOCK that is still under way would end this wait too.
    if (this.#lease.unblocking !== undefined) await this.#lease.unblocking;
    if (this.#reason !== undefined) return null;
    const sliceMs = sliceMsOf(this.#command, this.#lease, this.#host);
    if (sliceMs === undefined) return this.#send(this.#command.args);
    return waitInSlices(this.#command, this.#lease, {
      sliceMs,
      host: this.#host,
      send: (args) => this.#send(args),
      isCancelled: () => this.#reason !== undefined,
    });
  }

  #send(args: CommandArgument[]): Promise<unknown> {
    this.#command.owner = this.#lease;
    return this.#lease.sendCopy(this.#command, args);
  }

  /**
   * The server keeps its own time, and may be late with it; ours ends with the connection, one turn of the event loop
   * after the limit: a reply that lies in the socket by then is in time.
   */
  #watchTheClock(ownMs: number | undefined): NodeJS.Timeout[] {
    const { commandTimeoutMs } = this.#host;
    const limitMs = waitLimitMs(ownMs, commandTimeoutMs);
    if (limitMs === undefined) return [];
    const remind = (): void => {
      if (this.#isSent) void endWaits(this.#host, this.#lease, commandTimeoutMs);
    };
    const end = (): void => {
      if (this.#isOver) return;
      this.#reason ??= () => this.#host.timeoutError(this.#command, limitMs);
      this.#command.fail(this.#reason(true));
      this.#host.giveUp(this.#lease);
    };
    return [setTimeout(remind, limitMs - commandTimeoutMs / 2), setTimeout(setImmediate, limitMs, end)];
  }
}

function nothing(): void {}
