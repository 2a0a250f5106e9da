import { checkReady } from './leases/lease-arguments.js';
import type { PoolEngine, PoolStatus } from './pool-engine.js';

/** What a health check found. */
export interface Health {
  /** Whether the server answered in time. */
  readonly ok: boolean;
  readonly status: PoolStatus;
  /** Time the server took to answer a PING, ms; `undefined` without an answer. */
  readonly pingMs: number | undefined;
  /** Why not, when not `ok`. */
  readonly error: unknown;
}

export interface HealthOptions {
  /** Limit of the check, ms, from 1. @default 1_000 */
  readonly timeoutMs?: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 1_000;

type Down = Pick<Health, 'status' | 'error'>;

/** Checks of one engine: however many ask at once, one PING is on its way, and no connection is opened for it. */
export class HealthCheck {
  readonly #engine: PoolEngine;
  #running: Promise<number> | undefined;

  constructor(engine: PoolEngine) {
    this.#engine = engine;
  }

  /**
   * `closed`: of the handle that asks, what it answers and its status when it is closing or closed.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, synchronously. Never rejects
   */
  check({ timeoutMs = DEFAULT_TIMEOUT_MS }: HealthOptions, closed: Down | undefined): Promise<Health> {
    checkReady(timeoutMs);
    if (closed !== undefined) return Promise.resolve(down(closed));
    if (!this.#engine.isUp) return Promise.resolve(this.#down(this.#whyDown()));
    this.#running ??= this.#ping().finally(() => {
      this.#running = undefined;
    });
    return this.#within(timeoutMs, this.#running);
  }

  async #ping(): Promise<number> {
    const startedAt = performance.now();
    await this.#engine.call('PING');
    return performance.now() - startedAt;
  }

  async #within(timeoutMs: number, ping: Promise<number>): Promise<Health> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.#late(timeoutMs)), timeoutMs);
    });
    try {
      const pingMs = await Promise.race([ping, limit]);
      return { ok: true, status: this.#engine.status, pingMs, error: undefined };
    } catch (error) {
      return this.#down(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #down(error: unknown): Health {
    return down({ status: this.#engine.status, error });
  }

  #late(timeoutMs: number): Error {
    const reason = `got no reply to PING within ${timeoutMs} ms (timeoutMs of health())`;
    const timeSpent = { serverMs: timeoutMs };
    return this.#engine.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted: true, timeSpent });
  }

  #whyDown(): unknown {
    const { lastDialError } = this.#engine;
    const details = lastDialError === undefined ? {} : { cause: lastDialError };
    return this.#engine.error('RP_ERR_UNAVAILABLE', 'has no connection', {
      ...details,
      maybeExecuted: false,
    });
  }
}

function down({ status, error }: Down): Health {
  return { ok: false, status, pingMs: undefined, error };
}
