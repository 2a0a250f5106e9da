import type { Redis } from 'ioredis';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { type DialCoordinator, SHORT_LIFE_MS } from '../transport/dial-coordinator.js';

/**
 * Has dedicated clients wait for their turn among everything else that dials, with pauses that grow for all of them
 * together. How their attempts end changes nothing for others: a client may have a password or a database of its own.
 */
export class DedicatedPace {
  readonly #options: ResolvedOptions;
  readonly #dials: DialCoordinator;
  /** In a row, over all clients; connections that ended soon count too. */
  #failures = 0;

  constructor(options: ResolvedOptions, dials: DialCoordinator) {
    this.#options = options;
    this.#dials = dials;
  }

  /** Resolves when the client may connect; it has the turn until it is ready, or not to be waited for any more. */
  async turn(client: Redis, signal: AbortSignal): Promise<void> {
    const pass = await this.#dials.takeTurn('dedicated', signal);
    // ioredis waits for ever for a server that accepts and says nothing; others do not wait with it.
    const timer = setTimeout(pass, this.#options.connectTimeoutMs);
    let readyAt = Number.POSITIVE_INFINITY;
    const onReady = (): void => {
      readyAt = performance.now();
      clearTimeout(timer);
      this.#dials.pause('dedicated', undefined);
      pass();
    };
    const onLost = (): void => {
      this.#failures = performance.now() - readyAt < SHORT_LIFE_MS ? this.#failures + 1 : 0;
      this.#dials.pause('dedicated', this.#failures);
      onOver();
    };
    const onOver = (): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('reconnecting', onLost);
      client.off('end', onOver);
      pass();
    };
    client.once('ready', onReady);
    client.once('reconnecting', onLost);
    client.once('end', onOver);
  }
}
