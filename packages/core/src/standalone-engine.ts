import type { PoolCommand } from './commands/command.js';
import { CommandDirectory } from './commands/command-directory.js';
import { Engine } from './engine.js';
import { HealthCheck } from './health.js';
import type { Affinity } from './lanes/affinity.js';
import { DedicatedClients, type DedicatedHost } from './leases/dedicated.js';
import type { Holder } from './leases/holder.js';
import type { AcquireOptions } from './leases/leases.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { AcquiredLease, PoolEngine } from './pool-engine.js';
import { type PoolStats, takeStats } from './stats.js';
import { Subscriber, type SubscriberHost } from './subscriber/subscriber.js';

/** A pool on one server, which may be found by Sentinels: it has all keys, and every connection counts once. */
export class StandaloneEngine extends Engine implements PoolEngine, SubscriberHost, DedicatedHost {
  readonly isDivided = false;
  readonly health = new HealthCheck(this);
  readonly directory: CommandDirectory;
  readonly dedicated: DedicatedClients;
  readonly subscriber: Subscriber;

  constructor(options: ResolvedOptions) {
    super(options);
    this.directory = new CommandDirectory((command) => this.submit(command, undefined));
    this.dedicated = new DedicatedClients(this);
    this.subscriber = new Subscriber(this);
  }

  stats(): PoolStats {
    return takeStats(this);
  }

  submit(command: PoolCommand, affinity: Affinity | undefined): void {
    const refusal = this.admission.refusal(1, command.bytes);
    if (refusal === undefined) this.router.accept(command, affinity);
    else command.fail(refusal);
  }

  submitBatch(commands: readonly PoolCommand[], affinity: Affinity | undefined): void {
    const refusal = this.admission.refusalOfAll(commands);
    // One deadline for all: while they wait, no part of them may expire and leave the rest to be sent.
    const startedAt = commands[0]?.startedAt || performance.now();
    for (const command of commands) {
      command.startedAt = startedAt;
      if (refusal === undefined) this.router.accept(command, affinity);
      else command.fail(refusal);
    }
  }

  // ---- one server has all keys ----

  place(): void {}

  placeOfKeys(): number {
    return 0;
  }

  scanPlaces(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map([['', 0]]));
  }

  follow(): undefined {}

  acquireNow(): AcquiredLease | undefined {
    const slot = this.leases.acquireNow();
    return slot === undefined ? undefined : { engine: this, slot };
  }

  async acquire(_place: number, options: AcquireOptions, asking: Holder | undefined): Promise<AcquiredLease> {
    return { engine: this, slot: await this.leases.acquire(options, asking) };
  }

  runBlocking(
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    return this.leases.runBlocking(commands, signal, holder);
  }

  // ---- one connection has all subscriptions ----

  homeOf(): string {
    return '';
  }

  // ---- end ----

  override drain(limitMs: number): Promise<void> {
    const drained = super.drain(limitMs);
    this.directory.end(this.refusalAtEnd());
    void this.subscriber.drain(limitMs);
    return drained;
  }

  protected override async closeRest(quitLimitMs: number, error: unknown): Promise<void> {
    if (quitLimitMs <= 0) this.subscriber.destroy(error);
    await Promise.all([this.dedicated.close(), this.subscriber.close(quitLimitMs)]);
  }
}
