/** A timer that is less late than this is as usual. */
const BLOCKED_MS = 5;
/** How many blocks are remembered one by one. */
const REMEMBERED = 16;

interface Block {
  readonly from: number;
  readonly until: number;
}

/**
 * How long the application has kept the event loop to itself, as far as timers that run anyway came late: nothing is
 * measured for this alone. What happened between two of those timers is not seen.
 */
export class LoopDelay {
  /** Of all blocks together. */
  totalMs = 0;
  longestMs = 0;
  readonly #blocks: Block[] = [];

  /** To be told by a timer when it runs; times on the clock of `performance.now()`. Returns by how much it was late. */
  note(dueAt: number, now: number): number {
    const lateMs = Math.max(0, now - dueAt);
    if (lateMs > BLOCKED_MS) this.#add(dueAt, now);
    return lateMs;
  }

  /** How much of the time from `since` to `now` was blocked. */
  blockedSince(since: number, now: number): number {
    let sum = 0;
    // The latest first: ten thousand calls may ask in one moment, and mostly nothing was blocked.
    for (let index = this.#blocks.length - 1; index >= 0; index -= 1) {
      const { from, until } = this.#blocks[index] as Block;
      if (until <= since) break;
      sum += Math.max(0, Math.min(until, now) - Math.max(from, since));
    }
    return sum;
  }

  /** Two timers that were late for the same reason count once. */
  #add(dueAt: number, until: number): void {
    const from = Math.max(dueAt, this.#blocks.at(-1)?.until ?? 0);
    if (from >= until) return;
    this.#blocks.push({ from, until });
    if (this.#blocks.length > REMEMBERED) this.#blocks.shift();
    this.totalMs += until - from;
    this.longestMs = Math.max(this.longestMs, until - from);
  }
}
