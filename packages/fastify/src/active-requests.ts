import type { FastifyReply } from 'fastify';

/** The requests that use Redis at the moment, from their first use of it until their response is closed. */
export class ActiveRequests {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  enter({ raw }: FastifyReply): void {
    // What goes on behind a finished response is not waited for: its 'close' has been.
    if (raw.writableEnded || isGone(raw)) return;
    this.#count += 1;
    // Not 'finish', which does not come when the client hung up.
    raw.once('close', this.#leave);
  }

  /** Resolves when there are none, at the latest after `limitMs`. */
  async idle(limitMs: number): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, limitMs);
      this.#waiting.add(end);
    });
  }

  readonly #leave = (): void => {
    this.#count -= 1;
    if (this.#count === 0) for (const end of this.#waiting) end();
  };
}

/** A response of HTTP/2 has no `destroyed` of its own. */
function isGone(raw: FastifyReply['raw'] & { readonly stream?: { readonly destroyed: boolean } }): boolean {
  return raw.destroyed || raw.stream?.destroyed === true;
}
