import type { PoolCommand } from './command.js';
import type { CommandQueue } from './command-queue.js';

/** A timer that is so late was held up by a blocked event loop. */
const BLOCKED_MS = 5;
/** How long after that what lies in the socket may take to be read; law 3 leaves 50 ms for everything. */
const READ_MS = 25;
/** Nothing arrived for so long: all of it has been read. */
const QUIET_MS = 3;

/** What a sweep may be told besides its queue. */
export interface SweepOptions {
  /** A number that changes with whatever arrives: while it does after a blocked event loop, nothing is late. */
  readonly received?: () => number;
  /** After the commands of a sweep were settled. */
  readonly swept?: () => void;
  /** Each time the timer runs: when it was due, and when it is. */
  readonly timerRan?: (dueAt: number, now: number) => void;
}

/**
 * Deadlines of a queue with one timer instead of one per command: the commands stand in the order of their
 * deadlines, so that only the oldest has to be watched. Those few that do not (sent a second time, or asked
 * about first) are noticed when they come, and cost a look at the whole queue per sweep as long as one is there.
 *
 * A command that is past its deadline is settled by `expire` and keeps its place; its owner takes it out when
 * its reply comes, or, for a queue of unsent commands, in `swept`.
 */
export class DeadlineSweep {
  readonly #queue: CommandQueue;
  readonly #expire: (command: PoolCommand, now: number) => void;
  readonly #options: SweepOptions;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due. */
  #dueAt = 0;
  /** Of all deadlines so far; one below it stands out of order. */
  #latest = 0;
  #ordered = true;
  #received = 0;
  #receivedAt = 0;
  #readUntil = 0;

  constructor(
    queue: CommandQueue,
    expire: (command: PoolCommand, now: number) => void,
    options: SweepOptions = {},
  ) {
    this.#queue = queue;
    this.#expire = expire;
    this.#options = options;
  }

  /** To be called when a command was pushed; does nothing while the timer runs for an earlier one. */
  arm(deadline: number): void {
    if (deadline < this.#latest) this.#ordered = false;
    else this.#latest = deadline;
    if (this.#timer === undefined || deadline < this.#dueAt) this.#schedule(deadline);
  }

  /** To be called when the queue is empty. */
  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#latest = 0;
    this.#ordered = true;
  }

  #schedule(deadline: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = deadline;
    const delay = Math.max(1, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(this.#onTimer, delay);
  }

  // Timers run before I/O: after a blocked event loop the replies may already lie in the socket, and one turn
  // of the loop lets them in before anything is called late.
  readonly #onTimer = (): void => {
    const now = performance.now();
    const { received } = this.#options;
    this.#options.timerRan?.(this.#dueAt, now);
    this.#readUntil = received !== undefined && now - this.#dueAt > BLOCKED_MS ? now + READ_MS : 0;
    this.#received = received?.() ?? 0;
    this.#receivedAt = now;
    setImmediate(this.#onTurn);
  };

  readonly #onTurn = (): void => {
    if (this.#timer === undefined) return;
    const now = performance.now();
    // One turn reads no more than 2 MB, and less when the kernel has to bring more in.
    if (now < this.#readUntil && this.#isReceiving(now)) setImmediate(this.#onTurn);
    else this.#sweep(now);
  };

  #isReceiving(now: number): boolean {
    const before = this.#received;
    this.#received = this.#options.received?.() ?? 0;
    if (this.#received !== before) this.#receivedAt = now;
    return now - this.#receivedAt < QUIET_MS;
  }

  #sweep(now: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = this.#expireUntil(now);
    this.#options.swept?.();
    if (next < Number.POSITIVE_INFINITY) this.#armAgain(next);
  }

  /** What `expire` calls back may have armed the timer already. */
  #armAgain(deadline: number): void {
    if (this.#timer === undefined || deadline < this.#dueAt) this.#schedule(deadline);
  }

  /** Settles what is late and returns the earliest deadline of the rest. */
  #expireUntil(now: number): number {
    const wasOrdered = this.#ordered;
    this.#ordered = true;
    let earliest = Number.POSITIVE_INFINITY;
    let latest = 0;
    for (let command = this.#queue.head; command !== undefined; ) {
      const { next } = command;
      if (!command.settled && command.deadline <= now) this.#expire(command, now);
      else if (!command.settled) {
        if (wasOrdered) return command.deadline;
        if (command.deadline < latest) this.#ordered = false;
        latest = command.deadline;
        earliest = Math.min(earliest, latest);
      }
      command = next;
    }
    return earliest;
  }
}
