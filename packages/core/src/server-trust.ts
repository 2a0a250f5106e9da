import type { Counters } from './counters.js';
import type { Auth, ResolvedOptions } from './options/resolved-options.js';
import type { Connection } from './transport/connection.js';
import type { CredentialHost } from './transport/credential-source.js';
import { reauthenticate } from './transport/reauthentication.js';

/** A server that is of no use again so soon after connections were replaced for it makes the next time come later. */
const FORGET_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;

export interface TrustHost {
  readonly options: ResolvedOptions;
  readonly counters: Counters;
  readonly liveConnections: Iterable<Connection>;
  /** Has lanes end their connections when everything on them is answered. */
  retireLanes(reason: string): void;
  /** No lease connection made before now is handed out again. */
  resetLeases(): void;
  /** Calls `say` with each lease connection as soon as nobody holds it: one that is held may be inside MULTI. */
  renewLeases(say: (connection: Connection) => void): void;
  /** The provider should be asked again soon. */
  retryCredentials(): void;
}

/**
 * What to do with open connections when the server turns out to be another one than they were made for: a replica
 * after a failover, or one that wants to know again who is there.
 */
export class ServerTrust implements CredentialHost {
  readonly #host: TrustHost;
  #replacedAt = Number.NEGATIVE_INFINITY;
  #inARow = 0;

  constructor(host: TrustHost) {
    this.#host = host;
  }

  /**
   * Replaces the connections, unless that was done just now and did not help: whoever writes to a replica on purpose
   * gets its refusals and keeps the connection. Returns whether they are being replaced.
   */
  replaceUseless(reason: string): boolean {
    const { endpoint, reconnect } = this.#host.options;
    if (endpoint.kind === 'sentinel' && endpoint.role === 'slave') return false;
    const sinceMs = performance.now() - this.#replacedAt;
    if (sinceMs > FORGET_MS) this.#inARow = 0;
    const pauseMs = Math.min(reconnect.maxDelayMs, FIRST_PAUSE_MS * 2 ** Math.min(this.#inARow - 1, 20));
    if (this.#inARow > 0 && sinceMs < pauseMs) return false;
    this.#inARow += 1;
    this.#replacedAt = performance.now();
    this.#host.counters.uselessServers += 1;
    this.#host.retireLanes(reason);
    this.#host.resetLeases();
    return true;
  }

  credentialsChanged(auth: Auth, isOtherUser: boolean): void {
    const say = (connection: Connection): void => void this.#reauthenticate(connection, auth, isOtherUser);
    // What another user may do is found out when a connection is made.
    if (isOtherUser) this.#host.resetLeases();
    else this.#host.renewLeases(say);
    for (const connection of this.#host.liveConnections) if (connection.role !== 'lease') say(connection);
  }

  credentialsFailed(error: unknown): void {
    this.#warn('asked for credentials in vain', error);
  }

  /** Never rejects. */
  async #reauthenticate(connection: Connection, auth: Auth, isOtherUser: boolean): Promise<void> {
    const { counters } = this.#host;
    try {
      if (await reauthenticate(connection, auth)) counters.reauthentications += 1;
      // For a new password alone it would be a gap in the messages for nothing.
      else if (isOtherUser) connection.outdate();
    } catch (error) {
      if (connection.lost) return;
      counters.reauthenticationsFailed += 1;
      this.#warn('has a connection that may not authenticate again, and keeps it', error);
      this.#host.retryCredentials();
    }
  }

  #warn(what: string, error: unknown): void {
    const { logger, name } = this.#host.options;
    const cause = error instanceof Error ? error.message : 'unknown cause';
    logger.warn({ pool: name, cause }, `Redis pool "${name}" ${what}: ${cause}`);
  }
}
