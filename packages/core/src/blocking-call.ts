import { blockingTimeoutMs, withBlockingTimeout } from './blocking-timeout.js';
import { type CommandArgument, PoolCommand } from './command.js';
import type { LeaseConnection } from './lease-connection.js';
import { withConcreteIds } from './stream-ids.js';

/** How long a server that does not answer may delay the end of a cancelled command; then the connection goes. */
const UNBLOCK_LIMIT_MS = 1_000;
/** Where UNBLOCK is forbidden, the server is asked for no longer than this at a time. */
const SLICE_MS = 500;

/** What a blocking call needs of its engine. */
export interface BlockingHost {
  readonly commandTimeoutMs: number;
  /** Whether this user may send CLIENT UNBLOCK; asked once per connection of the lanes. */
  canUnblock(): Promise<boolean>;
  /** CLIENT UNBLOCK from another connection. Resolves with whether that client was blocked. */
  unblock(clientId: number): Promise<boolean>;
  timeoutError(command: PoolCommand, timeoutMs: number): Error;
}

/**
 * One blocking command on one connection.
 *
 * Law 7: cancelling loses no element. The server is told to end the wait, its reply is awaited, and a value that
 * came all the same is handed over; only an empty reply rejects with the reason of the cancellation.
 */
export class BlockingCall {
  readonly #host: BlockingHost;
  readonly #command: PoolCommand;
  readonly #lease: LeaseConnection;
  #reason: { readonly error: unknown } | undefined;
  #sent = false;
  #unblocking: Promise<void> | undefined;

  constructor(host: BlockingHost, command: PoolCommand, lease: LeaseConnection) {
    this.#host = host;
    this.#command = command;
    this.#lease = lease;
  }

  /** Settles the command; resolves when the connection owes nothing more. Never rejects. */
  async run(): Promise<void> {
    const timeoutMs = blockingTimeoutMs(this.#command);
    const timers = this.#watchTheClock(timeoutMs);
    try {
      this.#command.adopt(await this.#reply(timeoutMs));
    } catch (error) {
      this.#command.fail(this.#reason === undefined ? error : this.#reason.error);
    }
    for (const timer of timers) clearTimeout(timer);
    // A late UNBLOCK would end the wait of the next holder.
    await this.#unblocking;
  }

  /** Ends the wait; the first reason counts. */
  cancel(error: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = { error };
    if (this.#sent) this.#unblocking = endWaits(this.#host, this.#lease);
  }

  async #reply(timeoutMs: number | undefined): Promise<unknown> {
    const canUnblock = this.#lease.clientId !== undefined && (await this.#host.canUnblock());
    const value =
      canUnblock || timeoutMs === undefined
        ? await this.#send(this.#command.args)
        : await this.#poll(timeoutMs);
    if (value === null && this.#reason !== undefined) throw this.#reason.error;
    return value;
  }

  /** Many short waits instead of one long: cancelling takes until the end of the current one. */
  async #poll(timeoutMs: number): Promise<unknown> {
    const endsAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    const args = await withConcreteIds(this.#command, this.#lease);
    for (;;) {
      const leftMs = Math.ceil(endsAt - performance.now());
      if (leftMs <= 0) return null;
      const value = await this.#send(withBlockingTimeout(this.#command, args, Math.min(SLICE_MS, leftMs)));
      if (value !== null || this.#reason !== undefined) return value;
    }
  }

  #send(args: CommandArgument[]): Promise<unknown> {
    if (this.#reason !== undefined) throw this.#reason.error;
    const { name, profile, bytes, replyEncoding } = this.#command;
    const command = new PoolCommand(name, profile, args, bytes, replyEncoding);
    const reply = command.createPromise();
    this.#sent = true;
    this.#lease.send(command, undefined);
    return reply;
  }

  /** The server keeps its own time; ours starts when it should have answered, and ends with the connection. */
  #watchTheClock(timeoutMs: number | undefined): NodeJS.Timeout[] {
    if (timeoutMs === 0) return [];
    const { commandTimeoutMs } = this.#host;
    const limitMs = (timeoutMs ?? 0) + commandTimeoutMs;
    const late = (): void => this.cancel(this.#host.timeoutError(this.#command, limitMs));
    return [
      setTimeout(late, limitMs - commandTimeoutMs / 2),
      setTimeout(() => {
        late();
        this.#lease.destroy();
        this.#command.fail(this.#reason?.error);
      }, limitMs),
    ];
  }
}

/**
 * Has the server end the wait of the connection, again and again until it owes no reply: UNBLOCK goes by another
 * connection and may be there before the command, or before the next one that waits.
 */
export async function endWaits(host: BlockingHost, lease: LeaseConnection): Promise<void> {
  const giveUpAt = performance.now() + UNBLOCK_LIMIT_MS;
  const limit = setTimeout(() => lease.destroy(), UNBLOCK_LIMIT_MS);
  for (let pauseMs = 1; lease.inFlight > 0 && performance.now() < giveUpAt; pauseMs *= 2) {
    if (lease.clientId !== undefined) await host.unblock(lease.clientId).catch(() => false);
    if (lease.inFlight > 0) await pause(Math.min(pauseMs, 50));
  }
  clearTimeout(limit);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
