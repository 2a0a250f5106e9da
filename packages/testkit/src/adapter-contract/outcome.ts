/** How a promise ended. */
export interface Outcome<T = unknown> {
  readonly value?: T;
  readonly error?: Error & { readonly code?: string };
}

/** Never rejects. */
export function outcomeOf<T>(promise: PromiseLike<T>): Promise<Outcome<T>> {
  return Promise.resolve(promise).then(
    (value) => ({ value }),
    (error: unknown) => ({
      error: error instanceof Error ? error : new Error(`Rejected with ${String(error)}`),
    }),
  );
}

/** Where handlers of a test wait until it lets them go on. */
export class Gate {
  entered = 0;
  #open!: () => void;
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  pass(): Promise<void> {
    this.entered += 1;
    return this.#opened;
  }

  open(): void {
    this.#open();
  }
}
