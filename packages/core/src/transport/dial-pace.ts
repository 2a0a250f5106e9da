import type { ResolvedOptions } from '../options/resolved-options.js';
import type { DialError } from './dial.js';

/** What does not get better in milliseconds: a refused password or certificate. */
const FATAL_DELAY_MS = 30_000;

export interface Pause {
  readonly delayMs: number;
  /** What it was drawn from. */
  readonly longestMs: number;
}

/** How long to wait before dialling again: at random, up to a bound that doubles with each failure (full jitter). */
export class DialPace {
  readonly #options: ResolvedOptions;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  /** After so many failures in a row, or connections in a row that ended soon. */
  after(failures: number): Pause {
    const { minDelayMs, maxDelayMs } = this.#options.reconnect;
    const longestMs = Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures, 20));
    return { delayMs: minDelayMs + Math.random() * (longestMs - minDelayMs), longestMs };
  }

  afterError(failures: number, error: DialError): Pause {
    // Who gives out passwords that change may give out a better one next time.
    const mayChange = error.code === 'RP_ERR_AUTH' && this.#options.credentials !== undefined;
    if (!error.fatal || mayChange) return this.after(failures);
    return { delayMs: (FATAL_DELAY_MS * (1 + Math.random())) / 2, longestMs: FATAL_DELAY_MS };
  }

  /** Everybody lost theirs at the same moment, and a fleet of processes does not come back in one. */
  spread(): number {
    return Math.random() * this.#options.reconnect.minDelayMs;
  }
}
