import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import { type SentinelPoolOptions, subscribeSentinel } from './sentinel-connection.js';
import { isSameAddress } from './sentinel-replies.js';

/** Between two attempts to listen to one Sentinel; random up to twice as much. */
const PAUSE_MS = 1_000;
const MAX_WATCHED = 10;

/** Who is told what Sentinels announce. */
export interface WatchHost {
  /** This Sentinel announces a new master, or was not heard for a while and may have. */
  hasNews(sentinel: Address): void;
  /** A Sentinel has told this replica to become the master. */
  isPromoting(master: Address): void;
  /** Nothing may come on this connection for days: somebody has to see whether it is still one. */
  listens(connection: Connection): void;
}

/** Listens to Sentinels, one connection each, for as long as the pool runs. */
export class SentinelWatch {
  readonly #options: SentinelPoolOptions;
  readonly #host: WatchHost;
  readonly #abort = new AbortController();
  readonly #watched: Address[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #connections = new Set<Connection>();

  constructor(options: SentinelPoolOptions, host: WatchHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Listens to these from now on, too. */
  add(sentinels: readonly Address[]): void {
    const limit = this.#options.endpoint.sentinelMaxConnections ?? MAX_WATCHED;
    for (const address of sentinels) {
      const isNew = !this.#watched.some((known) => isSameAddress(known, address));
      if (!isNew || this.#watched.length >= limit || this.#abort.signal.aborted) continue;
      this.#watched.push(address);
      this.#running.push(this.#run(address));
    }
  }

  /** Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#abort.abort();
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(this.#running);
  }

  async #run(address: Address): Promise<void> {
    const { signal } = this.#abort;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      await this.#listen(address, attempt > 0);
      const pauseMs = PAUSE_MS * (1 + Math.random());
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Resolves when the connection is gone or could not be made; never rejects. */
  async #listen(address: Address, mayHaveMissed: boolean): Promise<void> {
    const { signal } = this.#abort;
    const listener = {
      onSwitch: () => this.#host.hasNews(address),
      onPromotion: (master: Address) => this.#host.isPromoting(master),
    };
    try {
      const connection = await subscribeSentinel(this.#options, address, listener, signal);
      this.#connections.add(connection);
      this.#host.listens(connection);
      if (signal.aborted) connection.destroy();
      else if (mayHaveMissed) listener.onSwitch();
      await connection.gone;
      this.#connections.delete(connection);
    } catch {
      // That Sentinel is down. The others are heard, and who dials next is told when there is none.
    }
  }
}
