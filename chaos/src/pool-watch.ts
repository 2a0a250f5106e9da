import type { RedisPool } from '@redis-pool/core';
import type { Violations } from './checks/violations.js';

const LOOK_EVERY_MS = 20;

/** Looks at the figures of a pool all the time (law 4). */
export class PoolWatch {
  most = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pool: RedisPool, violations: Violations) {
    this.#timer = setInterval(() => {
      const { used, max } = pool.stats().connections;
      this.most = Math.max(this.most, used);
      if (used > max) violations.add('tooManyConnections', `${used} connections of ${max}`);
    }, LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
