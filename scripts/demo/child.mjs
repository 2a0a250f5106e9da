import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const STOP_LIMIT_MS = 5_000;

/** A process of the demo, which answers one order at a time; see serve-parent.mjs. */
export class Child {
  #process;
  #exited;
  #stderr = '';

  /** @param {import('./run-demo.mjs').DemoContext} context */
  constructor({ signal, defer }, file) {
    signal.throwIfAborted();
    this.#process = fork(new URL(file, import.meta.url), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#exited = once(this.#process, 'exit');
    this.#process.stderr.on('data', (chunk) => {
      this.#stderr = `${this.#stderr}${chunk}`.slice(-2_000);
    });
    defer(() => this.stop());
  }

  /** Resolves with the reply to the order; rejects when the child fails or ends. */
  async ask(order, onProgress = () => {}) {
    const replied = new Promise((resolve, reject) => {
      this.#process.on('message', function listen({ progress, reply, error }) {
        if (progress !== undefined) return onProgress(progress);
        this.off('message', listen);
        if (error === undefined) resolve(reply);
        else reject(new Error(error));
      });
    });
    this.#process.send(order);
    return Promise.race([replied, this.#exited.then(([code]) => this.#fail(code))]);
  }

  /** Lets the child close what it has open, and waits until it is gone. Idempotent. */
  async stop() {
    if (this.#process.connected) this.#process.disconnect();
    const limit = new AbortController();
    const isLate = sleep(STOP_LIMIT_MS, true, { signal: limit.signal }).catch(() => false);
    if ((await Promise.race([this.#exited, isLate])) === true) this.#process.kill('SIGKILL');
    limit.abort();
    await this.#exited;
  }

  #fail(code) {
    throw new Error(`A process of the demo ended with code ${code}\n${this.#stderr}`);
  }
}
