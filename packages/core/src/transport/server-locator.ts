import type { HookConnection } from '../options/options.js';
import type { Address } from '../options/resolved-options.js';

/** Where a connection goes to that is about to be made, and whether that is still right. */
export interface Route {
  readonly address: Address;
  /** What the server there has to be. */
  readonly role: 'master' | 'slave';
  /** Rejects when the server that was reached is not the one that was looked for. */
  check(connection: Pick<HookConnection, 'call'>): Promise<void>;
  /** Calls back, with the reason, when the server is not the one to be connected to any more; returns the way out. */
  follow(onMoved: (reason: Error) => void): () => void;
}

/** Finds the server of a pool that has no fixed address. */
export interface ServerLocator {
  /** @throws DialError when nobody tells where the server is */
  locate(): Promise<Route>;
  /** Resolves when nothing of it is left. Idempotent. */
  close(): Promise<void>;
}
