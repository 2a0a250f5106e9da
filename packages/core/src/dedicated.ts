import { Redis, type RedisOptions } from 'ioredis';
import type { Engine } from './engine.js';
import { toIoredisOptions } from './resolved-options.js';

/**
 * Real ioredis instances for libraries that insist on one. Each counts as a connection of the pool, is named after
 * its label, and is closed with the pool; so are the duplicates that the library makes.
 */
export class DedicatedClients {
  readonly #engine: Engine;
  readonly #clients = new Map<Redis, string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** @throws RedisPoolError `RP_ERR_QUEUE_FULL` when `maxConnections` is reached, `RP_ERR_CLOSING`, `RP_ERR_CLOSED` */
  open(label: string, overrides: RedisOptions): Redis {
    return this.#track(label, {
      ...toIoredisOptions(this.#engine.options),
      keyPrefix: '',
      // What blocking workers need: no limit of attempts, and waiting through an outage.
      maxRetriesPerRequest: null,
      ...overrides,
      connectionName: `${this.#engine.options.name}:${label}:${process.pid}`,
    });
  }

  /** Ends all of them; QUIT is theirs to send before. */
  close(): void {
    for (const client of this.#clients.keys()) client.disconnect();
  }

  #track(label: string, options: RedisOptions): Redis {
    this.#engine.reserveOrThrow();
    const client: Redis = new Redis(options as RedisOptions & { replyMapping?: 'legacy' });
    this.#clients.set(client, label);
    client.on('error', (error) => this.#report(label, error));
    client.once('end', () => this.#forget(client));
    client.duplicate = (more: RedisOptions = {}) => this.#track(label, { ...client.options, ...more });
    return client;
  }

  #forget(client: Redis): void {
    if (this.#clients.delete(client)) this.#engine.freePlace();
  }

  #report(label: string, error: Error): void {
    const { logger, name } = this.#engine.options;
    logger.debug(
      { pool: name, client: label, cause: error.message },
      `Dedicated client "${label}" reports an error`,
    );
  }
}
