import { BenchProcess } from './bench-process.js';

/** Processes that end together. Used with `await using`. */
export class ProcessGroup implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = [];

  start<Order extends object, Result>(module: URL): BenchProcess<Order, Result> {
    const started = new BenchProcess<Order, Result>(module);
    this.#all.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((each) => each[Symbol.asyncDispose]()));
  }
}
