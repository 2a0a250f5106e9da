import type { RedisServer } from '@redis-pool/testkit';
import { waitUntil } from '@redis-pool/testkit';
import type { Violations } from './violations.js';

const GONE_WITHIN_MS = 2_000;
const EVENTS = ['unhandledRejection', 'uncaughtException', 'warning'] as const;

/** What a pool must not leave behind: handles of this process, connections, rejections that nobody handles. */
export class HandleCheck {
  readonly #violations: Violations;
  readonly #before = countResources();
  readonly #onEvent = (problem: unknown): void => {
    const text = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    this.#violations.add('leakedHandles', text.slice(0, 300));
  };

  constructor(violations: Violations) {
    this.#violations = violations;
    for (const event of EVENTS) process.on(event as 'unhandledRejection', this.#onEvent);
  }

  /** To be called when the pool is closed; what it had may take a moment to go. */
  async finish(server: RedisServer): Promise<void> {
    const isGone = async () => (await this.#left(server)).length === 0;
    const options = { what: 'all handles of the pool are gone', timeoutMs: GONE_WITHIN_MS };
    await waitUntil(isGone, options).catch(() => {});
    for (const what of await this.#left(server)) this.#violations.add('leakedHandles', what);
  }

  /** Leaves rejections and exceptions to Node again. */
  stop(): void {
    for (const event of EVENTS) process.off(event as 'unhandledRejection', this.#onEvent);
  }

  async #left(server: RedisServer): Promise<string[]> {
    const left: string[] = [];
    for (const [type, count] of countResources()) {
      const before = this.#before.get(type) ?? 0;
      if (count > before) left.push(`${count - before} more ${type} than before`);
    }
    const clients = server.status === 'running' ? await server.clients() : [];
    return [...left, ...clients.map(({ name, cmd }) => `connection "${name}" at the server (${cmd})`)];
  }
}

// Of waitUntil(): its own timer is not one of the pool's.
const OWN_TIMERS = 1;

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  counts.set('Timeout', Math.max(0, (counts.get('Timeout') ?? 0) - OWN_TIMERS));
  return counts;
}
