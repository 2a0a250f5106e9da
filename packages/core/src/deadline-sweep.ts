import type { PoolCommand } from './command.js';
import type { CommandQueue } from './command-queue.js';

/**
 * Deadlines of a queue with one timer instead of one per command: the commands stand in the order of their
 * deadlines, so that only the oldest has to be watched.
 *
 * A command that is past its deadline is settled by `expire` and keeps its place; its owner takes it out when
 * its reply comes (or, for a queue of unsent commands, at once: see `dropSettled`).
 */
export class DeadlineSweep {
  readonly #queue: CommandQueue;
  readonly #expire: (command: PoolCommand, now: number) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(queue: CommandQueue, expire: (command: PoolCommand, now: number) => void) {
    this.#queue = queue;
    this.#expire = expire;
  }

  /** To be called when a command was pushed; does nothing while the timer runs. */
  arm(deadline: number): void {
    if (this.#timer === undefined) this.#schedule(deadline);
  }

  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(deadline: number): void {
    const delay = Math.max(1, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(this.#onTimer, delay);
  }

  // Timers run before I/O: after a blocked event loop the replies may already lie in the socket, and one turn
  // of the loop lets them in before anything is called late.
  readonly #onTimer = (): void => {
    setImmediate(this.#sweep);
  };

  readonly #sweep = (): void => {
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    const now = performance.now();
    let command = this.#queue.head;
    while (command !== undefined && (command.settled || command.deadline <= now)) {
      const { next } = command;
      if (!command.settled) this.#expire(command, now);
      command = next;
    }
    if (command !== undefined) this.#schedule(command.deadline);
  };
}
