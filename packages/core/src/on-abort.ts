interface Watch {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls back when the signal aborts; returns how to stop that. However many waits one signal ends, there is one
 * listener on it, and none once nobody watches: Node warns of a leak from the eleventh on, and `AbortSignal.any()`
 * leaves something behind on a signal that outlives what it ends.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return nothing;
  const watch = watches.get(signal) ?? listen(signal);
  watch.callbacks.add(callback);
  return () => {
    if (watch.callbacks.delete(callback) && watch.callbacks.size === 0) unlisten(signal, watch);
  };
}

/** Settles as the promise does, or rejects with the reason of the signal when that comes first. */
export function unlessAborted<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const unwatch = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(unwatch);
  });
}

/** Resolves after `ms`, or rejects with the reason of the signal when that comes first. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const unwatch = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal?.reason);
    });
    const timer = setTimeout(() => {
      unwatch();
      resolve();
    }, ms);
  });
}

function listen(signal: AbortSignal): Watch {
  const callbacks = new Set<() => void>();
  const watch = {
    callbacks,
    listener: () => {
      for (const callback of [...callbacks]) callback();
    },
  };
  signal.addEventListener('abort', watch.listener);
  watches.set(signal, watch);
  return watch;
}

function unlisten(signal: AbortSignal, watch: Watch): void {
  signal.removeEventListener('abort', watch.listener);
  watches.delete(signal);
}

function nothing(): void {}
