const SLICES = 8;

/**
 * Calls back once when `limitMs` have passed in which the event loop could have run, unless it is called off with what
 * this returns: the time is counted in slices, and what one of them is late is not counted. One turn of the loop
 * later, so that what lies in the socket by then is read first.
 */
export function fairTimeout(limitMs: number, expired: () => void): () => void {
  const sliceMs = Math.ceil(limitMs / SLICES);
  let leftMs = limitMs;
  let timer: NodeJS.Timeout;
  let immediate: NodeJS.Immediate | undefined;
  const next = (): void => {
    if (leftMs <= 0) immediate = setImmediate(expired);
    else timer = setTimeout(next, Math.min(sliceMs, leftMs));
    leftMs -= sliceMs;
  };
  next();
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}
