import type { Server } from 'node:net';
import type { DrainReport, RedisPool } from '@redis-pool/core';
import type { MountedPools } from '@redis-pool/core/adapter';

/** A server of `node:http`, `node:https` or `node:http2`. */
export type ClosableServer = Server;

/** How a server and its pool are ended. */
export interface CloseWithOptions {
  /** Time for all of it, ms, from 0. @default the pool's closeTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /** What begins it. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
}

/** How it went. */
export interface ClosingReport extends DrainReport {
  /** Requests whose connection was cut, because they were not answered when the time was over. */
  readonly cutRequests: number;
}

/** The orderly end of a server and a pool, begun by a signal or by `close()`. */
export interface Closing extends Disposable {
  /** Resolves when everything is closed; pending until it began. Never rejects. */
  readonly closed: Promise<ClosingReport>;
  /** Begins it, as the first signal does. Idempotent; never rejects. */
  close(): Promise<ClosingReport>;
  /** Takes `closeWith()` back: its listeners are removed, the server and the pool go on. */
  [Symbol.dispose](): void;
}

export function closeWith(
  _what: { readonly mounted: MountedPools; readonly pool: RedisPool },
  _server: ClosableServer,
  _options: CloseWithOptions = {},
): Closing {
  throw new Error('Not yet');
}
