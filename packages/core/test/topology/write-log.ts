import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '@redis-pool/testkit';
import { isRedisPoolError, type RedisPool } from '../../src/index.js';

const KEY = 'app:log';
/** Between two writes of one caller. */
const PAUSE_MS = 2;

/** What became of writes, by what the pool said of them and by what a server has. */
export interface WriteReport {
  readonly acknowledged: number;
  /** Failed, and may have been executed. */
  readonly maybe: number;
  /** Failed, and cannot have been executed. */
  readonly refused: number;
  /** Executed more than once. */
  readonly twice: readonly string[];
  /** Said not to have been executed, but they were. */
  readonly refusedButThere: readonly string[];
  /** When each write was acknowledged that the server does not have, on the clock of `performance.now()`. */
  readonly lostAt: readonly number[];
  /** Failed and executed all the same. */
  readonly maybeAndThere: number;
}

/**
 * Callers that write without end, each time something else, and remember what they were told: a server that has
 * executed a write has counted it.
 */
export class WriteLog {
  readonly #pool: RedisPool;
  readonly #callers: Promise<void>[];
  readonly #acknowledged = new Map<string, number>();
  readonly #maybe = new Set<string>();
  readonly #refused = new Set<string>();
  #isOver = false;
  /** When a write was acknowledged last. */
  lastAt = 0;

  constructor(pool: RedisPool, callers: number) {
    this.#pool = pool;
    this.#callers = Array.from({ length: callers }, (_, caller) => this.#write(caller));
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }

  /** Compares with what the server has. */
  async compare(server: RedisServer): Promise<WriteReport> {
    const counts = countsOf((await server.adminCommand('HGETALL', KEY)) as string[]);
    const lost = [...this.#acknowledged].filter(([id]) => !counts.has(id));
    return {
      acknowledged: this.#acknowledged.size,
      maybe: this.#maybe.size,
      refused: this.#refused.size,
      twice: [...counts].flatMap(([id, count]) => (count > 1 ? [id] : [])),
      refusedButThere: [...this.#refused].filter((id) => counts.has(id)),
      lostAt: lost.map(([, at]) => at),
      maybeAndThere: [...this.#maybe].filter((id) => counts.has(id)).length,
    };
  }

  async #write(caller: number): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      const id = `${caller}:${count}`;
      try {
        await this.#send(id, count);
        this.lastAt = performance.now();
        this.#acknowledged.set(id, this.lastAt);
      } catch (error) {
        const cannotHaveRun = isRedisPoolError(error) && error.maybeExecuted === false;
        (cannotHaveRun ? this.#refused : this.#maybe).add(id);
      }
      await sleep(PAUSE_MS);
    }
  }

  /** On a lane, in a transaction, on a lease, by turns. */
  async #send(id: string, turn: number): Promise<void> {
    if (turn % 10 === 8) await this.#pool.multi().hincrby(KEY, id, 1).execOrThrow();
    else if (turn % 10 === 9) await this.#pool.lease((lease) => lease.hincrby(KEY, id, 1));
    else await this.#pool.hincrby(KEY, id, 1);
  }
}

function countsOf(flat: readonly string[]): Map<string, number> {
  return new Map(flat.flatMap((id, at) => (at % 2 === 0 ? [[id, Number(flat[at + 1])] as const] : [])));
}
