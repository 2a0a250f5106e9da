import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { ChildReply } from './serve-parent.js';

/** A process of ours that answers orders; see `serveParent`. */
export class BenchProcess<Order extends object, Result> implements AsyncDisposable {
  readonly #process: ChildProcess;

  constructor(module: URL) {
    // `gc` empties the heap between windows.
    this.#process = fork(module, { execArgv: ['--expose-gc'] });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Gives one order and waits for its result; one at a time. @throws what the child threw, or that it ended */
  async ask(order: Order): Promise<Result> {
    const reply = await this.#reply(order);
    if (reply.kind === 'error') throw new Error(reply.message);
    return reply.result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    if (this.#process.connected) this.#process.disconnect();
    await exited;
  }

  #reply(order: Order): Promise<ChildReply<Result>> {
    return new Promise((resolve, reject) => {
      const child = this.#process;
      const onExit = (code: number | null, signal: string | null) =>
        reject(new Error(`The process of the benchmark ended with ${signal ?? code}`));
      child.once('exit', onExit);
      child.once('message', (reply) => {
        child.off('exit', onExit);
        resolve(reply as ChildReply<Result>);
      });
      child.send(order);
    });
  }
}
