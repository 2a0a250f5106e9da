/** Of a response, what tells its end: that of `node:http` and of `node:http2` have it. */
export interface ResponseLike {
  readonly writableEnded: boolean;
  readonly writableFinished?: boolean;
  readonly destroyed?: boolean;
  readonly finished?: boolean;
  /** Of HTTP/2 only. `rstCode`: 0 unless somebody reset it. */
  readonly stream?: { readonly destroyed: boolean; readonly aborted: boolean; readonly rstCode?: number };
  readonly headersSent?: boolean;
  /** Of `node:http`: whether the connection is kept for the next request. */
  shouldKeepAlive?: boolean;
  readonly req?: { readonly socket: { destroySoon?(): void } | null };
  once(event: 'close', listener: () => void): unknown;
}

/** One request and its response, as a framework has them. */
export interface Exchange {
  readonly response: ResponseLike;
  /** What `requestSignal` is called with. */
  readonly request: unknown;
  /** The route, for reports; called when one is made, which may be after the response. */
  readonly label: () => string;
}

/** Whether the response can take nothing more, because it was sent or because its client is gone. */
export function isClosed({ destroyed, stream, writableEnded }: ResponseLike): boolean {
  return writableEnded || destroyed === true || stream?.destroyed === true;
}

/** Of a closed response: whether its client left before all of it was on its way. */
export function isHungUp({ writableFinished, stream }: ResponseLike): boolean {
  // A stream of HTTP/2 that was reset has finished, too: Node ends it for the application.
  if (stream !== undefined) return stream.aborted || stream.rstCode !== 0;
  return writableFinished !== true;
}

/**
 * Has the connection end with the response: for a server that closes. Node ends connections that are idle then, and
 * leaves those of responses that end later their time to keep alive, in which the server cannot close.
 */
export function endConnection(response: ResponseLike): void {
  // Connections of HTTP/2 have an end of their own.
  if (response.stream !== undefined) return;
  // With these words in the headers Node does it itself.
  if (response.headersSent !== true) response.shouldKeepAlive = false;
  else response.once('close', () => response.req?.socket?.destroySoon?.());
}
