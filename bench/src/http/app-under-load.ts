import type { BenchProcess } from '../child/bench-process.js';
import { type Patience, quietest } from '../machine/quietest.js';
import type { VariantMeasurement } from './http-result.js';
import type { Load, LoadOrder } from './load.js';
import type { ServerOrder, ServerReply } from './server-process.js';
import type { VariantId, VariantOptions } from './variant.js';

type LoadProcess = BenchProcess<LoadOrder, Load>;

interface Window {
  readonly load: Load;
  readonly cpuUs: number;
}

/** One variant's server and what was measured of it so far. */
export class AppUnderLoad {
  readonly id: VariantId;
  readonly #process: BenchProcess<ServerOrder, ServerReply>;
  readonly #port: number;
  readonly #windows: Window[] = [];

  private constructor(id: VariantId, process: BenchProcess<ServerOrder, ServerReply>, port: number) {
    this.id = id;
    this.#process = process;
    this.#port = port;
  }

  static async start(
    id: VariantId,
    process: BenchProcess<ServerOrder, ServerReply>,
    options: VariantOptions,
  ): Promise<AppUnderLoad> {
    return new AppUnderLoad(id, process, await process.ask({ kind: 'start', variant: id, options }));
  }

  async warmUp(load: LoadProcess, order: Omit<LoadOrder, 'port'>): Promise<void> {
    await load.ask({ ...order, port: this.#port });
  }

  async measureWindow(
    load: LoadProcess,
    order: Omit<LoadOrder, 'port'>,
    { pids: others, retries }: Patience,
  ): Promise<void> {
    const measure = async (): Promise<Window> => {
      const before = await this.#process.ask({ kind: 'cpu' });
      const result = await load.ask({ ...order, port: this.#port });
      return { load: result, cpuUs: (await this.#process.ask({ kind: 'cpu' })) - before };
    };
    const pids = [this.#process.pid, load.pid, ...others];
    this.#windows.push(await quietest(measure, { pids, retries }));
  }

  get measurement(): VariantMeasurement {
    const each = (value: (load: Load, cpuUs: number) => number) =>
      this.#windows.map(({ load, cpuUs }) => Math.round(value(load, cpuUs) * 100) / 100);
    return {
      requestsPerSecond: each(({ requests, seconds }) => requests / seconds),
      p50Ms: each(({ p50Ms }) => p50Ms),
      p99Ms: each(({ p99Ms }) => p99Ms),
      cpuUsPerRequest: each(({ requests }, cpuUs) => cpuUs / requests),
      loadCores: each(({ cpuUs, seconds }) => cpuUs / seconds / 1_000_000),
    };
  }
}
