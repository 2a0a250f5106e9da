import type { PoolCommand } from './commands/command.js';
import type { RedisPoolError } from './errors/errors.js';
import type { PoolErrors } from './errors/pool-errors.js';
import type { PendingCommands } from './lanes/pending-commands.js';
import type { PoolStatus } from './pool-engine.js';

/** What decides whether an engine takes new work. */
interface AdmittingEngine {
  readonly status: PoolStatus;
  readonly errors: PoolErrors;
  readonly pending: PendingCommands;
}

/** Says no to work that comes after the end began, or that would grow what is pending beyond its bounds. */
export class Admission {
  readonly #engine: AdmittingEngine;

  constructor(engine: AdmittingEngine) {
    this.#engine = engine;
  }

  get hasEnded(): boolean {
    const { status } = this.#engine;
    return status === 'draining' || status === 'closed';
  }

  /** `undefined`: come in. */
  refusal(commands: number, bytes: number): RedisPoolError | undefined {
    if (this.hasEnded) return this.refusalAtEnd();
    const overflow = this.#engine.pending.overflow(commands, bytes);
    return overflow === undefined
      ? undefined
      : this.#engine.errors.makeOfMany('RP_ERR_QUEUE_FULL', overflow, { maybeExecuted: false });
  }

  /** Of commands that come in together, or not at all. */
  refusalOfAll(commands: readonly PoolCommand[]): RedisPoolError | undefined {
    return this.refusal(
      commands.length,
      commands.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  /** What is told to who comes after the end began. */
  refusalAtEnd(): RedisPoolError {
    const closed = this.#engine.status === 'closed';
    const reason = closed ? 'is closed' : 'is closing and takes no new commands';
    return this.#engine.errors.make(closed ? 'RP_ERR_CLOSED' : 'RP_ERR_CLOSING', reason, {
      maybeExecuted: false,
    });
  }
}
