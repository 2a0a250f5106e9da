import type { Redis } from 'ioredis';
import { connectIoredis } from '../peers/ioredis.js';
import type { Target } from '../peers/peer.js';

/** Compares what callers were answered with what the server says that it executed. */
export class ExecutionCheck {
  readonly #redis: Redis;

  private constructor(redis: Redis) {
    this.#redis = redis;
  }

  static async open(target: Target): Promise<ExecutionCheck> {
    return new ExecutionCheck(await connectIoredis(target));
  }

  /** @throws when `work` counted more operations than the server executed commands meanwhile */
  async around<T extends { readonly operations: number }>(work: () => Promise<T>): Promise<T> {
    const before = await this.#executed();
    const result = await work();
    const executed = (await this.#executed()) - before;
    if (executed >= result.operations) return result;
    throw new Error(
      `${result.operations} operations were answered, but the server executed only ${executed}`,
    );
  }

  async close(): Promise<void> {
    await this.#redis.quit();
  }

  async #executed(): Promise<number> {
    const stats = await this.#redis.info('stats');
    return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1]);
  }
}
