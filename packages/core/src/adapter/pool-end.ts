import type { DrainReport } from '../close.js';
import type { RedisPool } from '../pool.js';

/** Of the time to close, what requests get; the rest is for the commands that still run then. */
const REQUESTS_SHARE = 0.8;

/**
 * The end of one pool of an application. From its beginning on time runs: what waits for something that may never
 * come ends at once; requests may finish as long as most of the time is left; then the pool closes whoever still
 * waits for it, so that frameworks that close when their requests are done can close too.
 */
export class PoolEnd {
  readonly #pool: RedisPool;
  readonly #isTime: Promise<void>;
  #tellTime!: () => void;
  #deadline = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pool: RedisPool, timeoutMs = pool.limits.closeTimeoutMs) {
    this.#pool = pool;
    this.#isTime = new Promise((resolve) => {
      this.#tellTime = resolve;
    });
    this.limit(timeoutMs);
    pool.endWaits();
  }

  /** So much time is left from now on. */
  limit(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#deadline = performance.now() + timeoutMs;
    this.#timer = setTimeout(() => void this.#close(), timeoutMs * REQUESTS_SHARE).unref();
  }

  /** Closes the pool when no request uses it any more, or when it is time; never rejects. */
  async close(idle: Promise<void>): Promise<DrainReport> {
    await Promise.race([idle, this.#isTime]);
    return this.#close();
  }

  #close(): Promise<DrainReport> {
    clearTimeout(this.#timer);
    this.#tellTime();
    return this.#pool.close({ timeoutMs: Math.max(1, Math.round(this.#deadline - performance.now())) });
  }
}
