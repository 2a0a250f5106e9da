import { onAbort } from '../on-abort.js';
import type { BlockingWork, CancelReason, GoesOn } from './blocking-call.js';

/** What waits at the server, of one engine: each can be ended by its own signal, and all of it together. */
export class BlockingCalls {
  readonly #running = new Set<BlockingWork>();
  #end: CancelReason | undefined;

  get size(): number {
    return this.#running.size;
  }

  /** Runs it until everything is answered; resolves with what settles the rest of its commands. */
  async run(
    work: BlockingWork,
    signal: AbortSignal | undefined,
    goesOn: GoesOn = () => false,
  ): Promise<() => void> {
    const cancel = (): void => work.cancel(() => signal?.reason);
    if (signal?.aborted) cancel();
    else if (this.#end !== undefined) work.cancel(this.#end);
    const unwatch = onAbort(signal, cancel);
    this.#running.add(work);
    try {
      return await work.run(goesOn);
    } finally {
      this.#running.delete(work);
      unwatch();
    }
  }

  /** Ends what runs, and from now on whatever comes, at once. */
  end(reason: CancelReason): void {
    this.#end = reason;
    for (const work of this.#running) work.cancel(reason);
  }
}
