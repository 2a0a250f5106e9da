/** Of a response, what tells its end: that of `node:http` and of `node:http2` have it. */
export interface ResponseLike {
  readonly writableEnded: boolean;
  readonly writableFinished?: boolean;
  readonly destroyed?: boolean;
  readonly finished?: boolean;
  /** Of HTTP/2 only. `rstCode`: 0 unless somebody reset it. */
  readonly stream?: { readonly destroyed: boolean; readonly aborted: boolean; readonly rstCode?: number };
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
