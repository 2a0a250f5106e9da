import { onAbort } from '../on-abort.js';

/** Waits of which all that run can be cut short together. */
export class Pauses {
  readonly #running = new Set<() => void>();

  endAll(): void {
    for (const end of this.#running) end();
  }

  /** Resolves after `limitMs` or when it is cut short; rejects with the reason of the signal when that comes first. */
  async wait(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        unwatch();
        this.#running.delete(end);
        resolve();
      };
      const timer = setTimeout(end, limitMs);
      const unwatch = onAbort(signal, end);
      this.#running.add(end);
    });
    signal?.throwIfAborted();
  }
}
