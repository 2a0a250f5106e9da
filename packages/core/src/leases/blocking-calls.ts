import type { PoolCommand } from '../commands/command.js';
import { onAbort } from '../on-abort.js';
import type { Connection } from '../transport/connection.js';
import {
  BlockingCall,
  type BlockingHost,
  type BlockingWork,
  type CancelReason,
  type GoesOn,
} from './blocking-call.js';
import { BlockingChain } from './blocking-chain.js';
import type { LeaseConnection } from './lease-connection.js';
import type { LeaseHost } from './lease-host.js';
import type { LeaseReports } from './lease-reports.js';
import { longSliceMsOf } from './sliced-wait.js';
import { PAUSE_GUARD } from './unblock-id.js';

/** How a run may end, or go on elsewhere. */
interface RunOptions {
  readonly signal: AbortSignal | undefined;
  /** See {@link BlockingWork}. */
  readonly goesOn?: GoesOn;
}

/** What waits at the server, of one engine: each can be ended by its own signal, and all of it together. */
export class BlockingCalls implements BlockingHost {
  readonly commandTimeoutMs: number;
  readonly longSliceMs: number;
  readonly stallMs: number;
  readonly #host: LeaseHost;
  readonly #reports: LeaseReports;
  readonly #running = new Set<BlockingWork>();
  #end: CancelReason | undefined;

  constructor(host: LeaseHost, reports: LeaseReports) {
    this.#host = host;
    this.#reports = reports;
    this.commandTimeoutMs = host.options.commandTimeoutMs;
    this.longSliceMs = longSliceMsOf(host.options);
    this.stallMs = host.watch.stallMs;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Runs commands on a connection until everything is answered; resolves with what settles the rest of them. */
  run(commands: readonly PoolCommand[], lease: LeaseConnection, options: RunOptions): Promise<() => void> {
    return this.#run(this.#workOf(commands, lease), options);
  }

  /** Runs commands on a lease that is held already, whose return ends them, and settles them. */
  async runHeld(
    commands: readonly PoolCommand[],
    lease: LeaseConnection,
    options: RunOptions,
  ): Promise<void> {
    const work = this.#workOf(commands, lease);
    lease.works.add(work);
    const settle = await this.#run(work, options);
    lease.works.delete(work);
    settle();
  }

  /** Ends what runs, and from now on whatever comes, at once. */
  end(reason: CancelReason): void {
    this.#end = reason;
    for (const work of this.#running) work.cancel(reason);
  }

  // ---- what a blocking call asks ----

  async unblock(clientId: number): Promise<boolean> {
    if (!this.#host.isUp) return false;
    const [guard, unblocked] = this.#host.callTogether([PAUSE_GUARD, ['CLIENT', 'UNBLOCK', `${clientId}`]]);
    guard?.catch(() => {});
    return (await unblocked) === 1;
  }

  giveUp(lease: LeaseConnection): void {
    lease.destroy();
  }

  silent(connection: Connection, silentMs: number): void {
    this.#host.watch.giveUp(connection, silentMs);
  }

  isElsewhere(error: unknown): boolean {
    return error instanceof Error && this.#host.isElsewhere(error);
  }

  timeoutError(command: PoolCommand, timeoutMs: number): Error {
    return this.#reports.lateWait(command, timeoutMs);
  }

  #workOf(commands: readonly PoolCommand[], lease: LeaseConnection): BlockingWork {
    const [only] = commands as [PoolCommand];
    return commands.length === 1
      ? new BlockingCall(this, only, lease)
      : new BlockingChain(this, commands, lease);
  }

  async #run(work: BlockingWork, { signal, goesOn = () => false }: RunOptions): Promise<() => void> {
    const cancel = (): void => work.cancel(() => signal?.reason);
    if (signal?.aborted) cancel();
    else if (this.#end !== undefined) work.cancel(this.#end);
    const unwatch = onAbort(signal, cancel);
    this.#running.add(work);
    try {
      return await work.run(goesOn);
    } finally {
      this.#running.delete(work);
      unwatch();
    }
  }
}
