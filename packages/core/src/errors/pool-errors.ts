import type { Counters } from '../counters.js';
import { RedisPoolError, type RedisPoolErrorCode, type RedisPoolErrorOptions } from './errors.js';
import { describeTime } from './time-spent.js';

/** Makes the errors of one pool: each names it and is counted. */
export class PoolErrors {
  /** How messages call the pool. */
  readonly label: string;
  readonly #counters: Counters;

  constructor(name: string, counters: Counters) {
    this.label = `Redis pool "${name}"`;
    this.#counters = counters;
  }

  /** `reason` follows the name of the pool; where the time went follows the reason. */
  make(code: RedisPoolErrorCode, reason: string, details: RedisPoolErrorOptions = {}): RedisPoolError {
    const { timeSpent } = details;
    const where = timeSpent === undefined ? '' : `. Where the time went: ${describeTime(timeSpent)}`;
    this.#counters.countError(code);
    return new RedisPoolError(code, `${this.label} ${reason}${where}`, details);
  }

  /**
   * Makes the error of one of perhaps ten thousand calls that end in one moment: all that a stack could show is the
   * timer or the socket that ended them, and it is two thirds of the cost (law 3 leaves 50 ms for all of them).
   */
  makeOfMany(code: RedisPoolErrorCode, reason: string, details: RedisPoolErrorOptions = {}): RedisPoolError {
    const { stackTraceLimit } = Error;
    // Not by assignment, which throws where intrinsics are frozen.
    Reflect.set(Error, 'stackTraceLimit', 0);
    try {
      return this.make(code, reason, details);
    } finally {
      Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    }
  }
}
