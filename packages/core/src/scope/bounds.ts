/** Ends what it runs when the signal aborts, in its own way. */
export type BoundedAction<T> = (signal: AbortSignal | undefined) => Promise<T>;

/** What kind of wait something is, and what bounds it besides the client that it was called on. */
export interface Bounds {
  /** `parked`: waits at the server for something that may never come. `queued`: waits for its turn. */
  readonly kind: 'parked' | 'queued';
  /** What it waits for until it is sent, while there is a connection to the server. */
  readonly waitsFor: 'leaseMs' | 'serverMs';
  /** The caller's own. */
  readonly signal?: AbortSignal | undefined;
  /** Whether a server may have seen it. @default never */
  readonly isSent?: () => boolean;
}
