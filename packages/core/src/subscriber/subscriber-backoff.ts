/** A refused password or certificate does not get better in milliseconds. */
const FATAL_DELAY_MS = 30_000;

/**
 * When the subscriber may dial next. It outlasts single subscriptions: whoever subscribes again and again during an
 * outage does not dial more often than one that waits.
 */
export class SubscriberBackoff {
  /** Attempts in a row that led to no confirmed subscription. */
  failures = 0;
  readonly #minDelayMs: number;
  readonly #maxDelayMs: number;
  #notBefore = 0;

  constructor({ minDelayMs, maxDelayMs }: { readonly minDelayMs: number; readonly maxDelayMs: number }) {
    this.#minDelayMs = minDelayMs;
    this.#maxDelayMs = maxDelayMs;
  }

  /** What is left of the pause, ms. */
  get delayMs(): number {
    return Math.max(0, this.#notBefore - performance.now());
  }

  /** After an attempt that failed, or a connection that was lost before it was of any use. Returns the longest pause. */
  failed(isFatal: boolean): number {
    this.failures += 1;
    const ceilingMs = isFatal ? FATAL_DELAY_MS : this.#ceilingMs();
    this.#pause(this.#minDelayMs + Math.random() * (ceilingMs - this.#minDelayMs));
    return ceilingMs;
  }

  succeeded(): void {
    this.failures = 0;
  }

  /** After a connection that was of use: everybody lost theirs at the same moment, so not at once. */
  lost(): void {
    this.#pause(Math.random() * this.#minDelayMs);
  }

  #ceilingMs(): number {
    return Math.min(this.#maxDelayMs, this.#minDelayMs * 2 ** Math.min(this.failures, 20));
  }

  #pause(delayMs: number): void {
    this.#notBefore = performance.now() + delayMs;
  }
}
