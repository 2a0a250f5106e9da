import { type Exchange, endConnection, isClosed, isHungUp, type ResponseLike } from './exchange.js';
import type { RequestPools } from './request-pools.js';

/** The requests that use Redis at the moment, from their first use of it until their response is closed. */
export class ActiveRequests {
  readonly #active = new Map<RequestPools, ResponseLike>();
  readonly #waiting = new Set<() => void>();
  #ending: (() => unknown) | undefined;

  enter(request: RequestPools, { response }: Exchange): void {
    if (this.#ending !== undefined) request.endWaits(this.#ending());
    // What goes on behind a finished response is not waited for: its 'close' has been, or is on its way.
    if (isClosed(response)) {
      request.end({ hungUp: !response.writableEnded });
      return;
    }
    this.#active.set(request, response);
    if (this.#ending !== undefined) endConnection(response);
    // Not 'finish', which does not come when the client hung up.
    response.once('close', () => {
      request.end({ hungUp: isHungUp(response) });
      this.#leave(request);
    });
  }

  /**
   * Cuts what waits in all of them, and in those to come, for something that may never come, and has their
   * connections end with them. Idempotent.
   */
  endWaits(makeReason: () => unknown): void {
    this.#ending = makeReason;
    for (const [request, response] of [...this.#active]) {
      endConnection(response);
      request.endWaits(makeReason());
    }
  }

  /** Resolves when there are none. */
  idle(): Promise<void> {
    if (this.#active.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  #leave(request: RequestPools): void {
    this.#active.delete(request);
    if (this.#active.size > 0) return;
    for (const resolve of this.#waiting) resolve();
  }
}
