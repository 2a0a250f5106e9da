/**
 * Calls back once after `delayMs`, unless it is called off with what this returns.
 *
 * One turn of the event loop late: timers run before I/O, and after a blocked loop the answer may already lie in
 * the socket.
 */
export function onDeadline(delayMs: number, expired: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    immediate = setImmediate(expired);
  }, delayMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}
