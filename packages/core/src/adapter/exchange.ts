/** Of a response, what tells its end: that of `node:http` and of `node:http2` have it. */
export interface ResponseLike {
  readonly writableEnded: boolean;
  readonly writableFinished?: boolean;
  readonly destroyed?: boolean;
  readonly finished?: boolean;
  /** HTTP/2. */
  readonly stream?: { readonly destroyed: boolean; readonly writableFinished?: boolean } | undefined;
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
  return !(writableFinished ?? stream?.writableFinished ?? false);
}
