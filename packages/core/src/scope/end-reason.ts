/**
 * Why a scope has ended, made when somebody asks: nearly every request ends with nothing left to cut, and an error
 * with its stack costs more than all else that a scope does.
 */
export class EndReason {
  readonly #make: () => unknown;
  #made: { readonly value: unknown } | undefined;

  constructor(make: () => unknown) {
    this.#make = make;
  }

  /** Always the same. */
  get value(): unknown {
    this.#made ??= { value: this.#make() };
    return this.#made.value;
  }
}
