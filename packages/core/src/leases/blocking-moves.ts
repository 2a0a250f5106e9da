import type { PoolCommand } from '../commands/command.js';
import type { Counters } from '../counters.js';
import { isRedisPoolError } from '../errors/errors.js';
import { uselessness } from '../errors/useless-connection.js';
import { isRepeatableRead } from './stream-ids.js';

/** What going on elsewhere needs of its engine. */
export interface MovesHost {
  readonly options: { readonly retryReads: number };
  readonly counters: Counters;
}

/**
 * Whether a blocking command that failed goes again on another connection: when the server refused to run it for what
 * the server has become, once; and an XREAD that names where it begins, as other reads do. What takes something away
 * may have taken it (law 2).
 */
export class BlockingMoves {
  readonly #host: MovesHost;
  #resendsLeft: number;
  #wasRefused = false;
  #isDue = false;

  constructor(host: MovesHost) {
    this.#host = host;
    this.#resendsLeft = host.options.retryReads;
  }

  /** To be asked about each failure. `isLeft`: connections like the one that it came by are being replaced. */
  next(command: PoolCommand, error: unknown, isLeft: boolean): boolean {
    this.#isDue = isLost(error) ? this.#mayAskAgain(command) : isLeft && this.#isFirstRefusal(error);
    return this.#isDue;
  }

  /** Whether they go again, after `next()` said so. */
  isDue(commands: readonly PoolCommand[]): boolean {
    const isDue = this.#isDue && commands.every(({ settled }) => !settled);
    this.#isDue = false;
    return isDue;
  }

  #mayAskAgain(command: PoolCommand): boolean {
    if (this.#resendsLeft === 0 || !isRepeatableRead(command)) return false;
    this.#resendsLeft -= 1;
    this.#host.counters.resends += 1;
    return true;
  }

  #isFirstRefusal(error: unknown): boolean {
    if (this.#wasRefused || !(error instanceof Error) || uselessness(error) === undefined) return false;
    this.#wasRefused = true;
    return true;
  }
}

function isLost(error: unknown): boolean {
  return isRedisPoolError(error) && error.code === 'RP_ERR_CONNECTION_LOST';
}
