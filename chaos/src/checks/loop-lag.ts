const BEAT_MS = 10;
const STALL_MS = 5;
const KEPT_MS = 30_000;

/** When the event loop of this process was held up: what is late by that is not the pool's doing. */
export class LoopLag {
  readonly #stalls: { from: number; to: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastBeat = performance.now();
  longestMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** For how long the loop was held up between two moments. */
  heldUpMs(from: number, to: number): number {
    // The beat of a stall that lasts to this moment may not have come yet.
    const running = performance.now() - this.#lastBeat - BEAT_MS;
    const stalls = running > STALL_MS ? [...this.#stalls, { from: this.#lastBeat, to }] : this.#stalls;
    return stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
      0,
    );
  }

  #beat(): void {
    const now = performance.now();
    const lateMs = now - this.#lastBeat - BEAT_MS;
    if (lateMs > STALL_MS) this.#stalls.push({ from: this.#lastBeat, to: now });
    this.longestMs = Math.max(this.longestMs, lateMs);
    while ((this.#stalls[0]?.to ?? now) < now - KEPT_MS) this.#stalls.shift();
    this.#lastBeat = now;
  }
}
