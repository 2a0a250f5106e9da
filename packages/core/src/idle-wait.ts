/** Waits until nothing runs any more, for a limited time. */
export class IdleWait {
  readonly #isIdle: () => boolean;
  #resolve: () => void = () => {};

  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle;
  }

  /** Resolves when it is so, at `end()`, and at the latest after `limitMs`. */
  async until(limitMs: number): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#resolve = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** To be called whenever something has ended. */
  look(): void {
    if (this.#isIdle()) this.end();
  }

  end(): void {
    this.#resolve();
  }
}
