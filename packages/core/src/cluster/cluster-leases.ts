import type { PoolCommand } from '../commands/command.js';
import { blockingTimeoutMs, withBlockingTimeout } from '../leases/blocking-timeout.js';
import type { Holder } from '../leases/holder.js';
import type { AcquireOptions } from '../leases/leases.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { AcquiredLease } from '../pool-engine.js';
import type { SlotOwners } from './slot-owners.js';

/** What leases on a cluster need of it. */
export interface ClusterLeasesHost {
  readonly options: ResolvedOptions;
  readonly owners: SlotOwners;
}

/** Leases and blocking commands, each on the node of its slot. */
export class ClusterLeases {
  readonly #host: ClusterLeasesHost;

  constructor(host: ClusterLeasesHost) {
    this.#host = host;
  }

  /** When the node leaves the cluster meanwhile, the wait goes on at the next one. */
  async acquire(slot: number, options: AcquireOptions, asking: Holder | undefined): Promise<AcquiredLease> {
    const { timeoutMs: limitMs = this.#host.options.acquireTimeoutMs, signal } = options;
    const endsAt = performance.now() + limitMs;
    const leftMs = (): number => Math.max(1, Math.ceil(endsAt - performance.now()));
    for (;;) {
      const node = await this.#host.owners.owner(slot, leftMs(), signal);
      const either = signal === undefined ? node.left : AbortSignal.any([signal, node.left]);
      try {
        const own = { signal: either, timeoutMs: leftMs() };
        return { engine: node.engine, slot: await node.engine.leases.acquire(own, asking) };
      } catch (error) {
        // Without time left the next one says so.
        if (error !== node.left.reason) throw error;
      }
    }
  }

  /**
   * Runs commands of one slot that wait at the server, and settles them. A node that does not have the slot (any more)
   * ran nothing: a command alone goes on to the next, with what is left of its time.
   */
  async runBlocking(
    slot: number,
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    const [command] = commands as [PoolCommand];
    const startedAt = performance.now();
    const ownMs = commands.length === 1 ? blockingTimeoutMs(command) : undefined;
    for (;;) {
      const node = await this.#host.owners.owner(slot, this.#host.options.acquireTimeoutMs, signal);
      await node.engine.leases.runBlocking(commands, signal, holder);
      if (commands.every(({ settled }) => settled)) return;
      await this.#host.owners.pause(signal);
      const leftMs = (ownMs ?? 0) - (performance.now() - startedAt);
      if (ownMs !== undefined && ownMs > 0) {
        if (leftMs <= 0) command.fulfil(null, false);
        else command.args = withBlockingTimeout(command, command.args, Math.ceil(leftMs));
      }
    }
  }
}
