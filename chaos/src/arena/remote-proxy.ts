import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FaultProxy } from '@redis-pool/testkit';

/** A method of a proxy, called from another thread. */
export interface ProxyCall {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface ProxyAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

type Faults = {
  [Name in keyof FaultProxy as FaultProxy[Name] extends (...args: never[]) => unknown
    ? Name
    : never]: FaultProxy[Name] extends (...args: infer Args) => unknown ? Args : never;
};

/** A fault proxy that runs in a thread of its own. */
export class RemoteProxy {
  readonly port: number;
  readonly #worker: Worker;
  readonly #calls = new Map<number, (answer: ProxyAnswer) => void>();
  #lastId = 0;

  private constructor(worker: Worker, port: number) {
    this.port = port;
    this.#worker = worker;
    worker.on('message', (answer: ProxyAnswer) => this.#onAnswer(answer));
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<RemoteProxy> {
    const { host, port } = target;
    const worker = new Worker(new URL('../proxy-thread.js', import.meta.url), { workerData: { host, port } });
    const [answer] = (await once(worker, 'message')) as [ProxyAnswer];
    return new RemoteProxy(worker, Number(answer.value));
  }

  /** Resolves when the proxy has done it. */
  call<Name extends keyof Faults>(method: Name, ...args: Faults[Name]): Promise<void> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#worker.postMessage({ id, method, args } satisfies ProxyCall);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, ({ error }) => {
        if (error === undefined) resolve();
        else reject(new Error(error));
      });
    });
  }

  async close(): Promise<void> {
    const exited = once(this.#worker, 'exit');
    await this.call('close');
    await exited;
  }

  #onAnswer(answer: ProxyAnswer): void {
    this.#calls.get(answer.id)?.(answer);
    this.#calls.delete(answer.id);
  }
}
