import { Admission } from '../admission.js';
import type { PoolCommand } from '../commands/command.js';
import { CommandDirectory } from '../commands/command-directory.js';
import { ScriptRegistry } from '../commands/script-registry.js';
import { ConnectionBudget } from '../connection-budget.js';
import { Counters } from '../counters.js';
import { CutList } from '../cut-list.js';
import { Engine } from '../engine.js';
import { EngineEvents } from '../engine-events.js';
import { RedisPoolError, type RedisPoolErrorCode, type RedisPoolErrorOptions } from '../errors/errors.js';
import { PoolErrors } from '../errors/pool-errors.js';
import { HealthCheck } from '../health.js';
import { IdleWait } from '../idle-wait.js';
import type { Affinity } from '../lanes/affinity.js';
import { LatencyHistogram } from '../lanes/latency-histogram.js';
import { PendingCommands } from '../lanes/pending-commands.js';
import { DedicatedClients } from '../leases/dedicated.js';
import type { Holder } from '../leases/holder.js';
import type { AcquireOptions } from '../leases/leases.js';
import { onAbort } from '../on-abort.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { AcquiredLease, PoolEngine, PoolStatus } from '../pool-engine.js';
import type { BoundedAction } from '../scope/bounds.js';
import type { PoolStats } from '../stats.js';
import { Subscriber } from '../subscriber/subscriber.js';
import type { DialError } from '../transport/dial.js';
import { LoopDelay } from '../transport/loop-delay.js';
import { failAsOne, groupBySlot } from './batches.js';
import { ClusterCommands, type ClusterCommandsHost } from './cluster-commands.js';
import { ClusterLeases, type ClusterLeasesHost } from './cluster-leases.js';
import { ClusterMembers, type MembersHost } from './cluster-members.js';
import { type ClusterNode, type NodeRole, optionsOfNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { type ClusterSettings, clusterSettings } from './cluster-settings.js';
import { takeClusterStats } from './cluster-stats.js';
import { ClusterSubscriberHost } from './cluster-subscriber-host.js';
import { KEYLESS_SLOT, slotOfAll, slotOfCommand, slotOfKeys } from './command-slot.js';
import type { NodeAddress } from './redirection.js';
import { SlotOwners, type SlotOwnersHost } from './slot-owners.js';
import type { Topology } from './topology.js';

/** A pool on a cluster: one engine for each node, and what brings each command to the node that has its slot. */
export class ClusterEngine
  implements PoolEngine, ClusterCommandsHost, ClusterLeasesHost, MembersHost, SlotOwnersHost
{
  readonly options: ResolvedOptions;
  readonly settings: ClusterSettings;
  readonly isDivided = true;
  readonly counters = new Counters();
  readonly latency = new LatencyHistogram();
  readonly cuts = new CutList();
  readonly delay = new LoopDelay();
  readonly errors: PoolErrors;
  readonly pending: PendingCommands;
  readonly scripts: ScriptRegistry;
  readonly directory: CommandDirectory;
  readonly members: ClusterMembers;
  readonly commands: ClusterCommands;
  readonly owners: SlotOwners;
  readonly health = new HealthCheck(this);
  readonly events = new EngineEvents();
  readonly admission = new Admission(this);
  readonly subscriber: Subscriber;
  readonly dedicated: DedicatedClients;
  /** Of the subscriber and the dedicated clients; each node has its own for the rest. */
  readonly budget: ConnectionBudget;
  readonly #leases: ClusterLeases;
  readonly #subscriberHost: ClusterSubscriberHost;
  #status: PoolStatus = 'connecting';
  /** What `destroy()` was given. */
  endError: unknown;
  readonly #idle = new IdleWait(() => this.awaitedCommands === 0);

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.settings = clusterSettings(options);
    this.errors = new PoolErrors(options.name, this.counters);
    this.pending = new PendingCommands(options, this.counters, () => this.#tellIfIdle());
    this.scripts = new ScriptRegistry(options.scripts);
    this.directory = new CommandDirectory((command) => this.submit(command, undefined));
    this.members = new ClusterMembers(this);
    this.commands = new ClusterCommands(this);
    this.owners = new SlotOwners(this);
    this.budget = new ConnectionBudget(options.maxConnections, 0);
    this.dedicated = new DedicatedClients(this);
    this.#leases = new ClusterLeases(this);
    this.#subscriberHost = new ClusterSubscriberHost(this);
    this.subscriber = new Subscriber(this.#subscriberHost);
  }

  get status(): PoolStatus {
    return this.#status;
  }

  get isUp(): boolean {
    return this.members.isWhole;
  }

  get nodes(): ClusterNodes {
    return this.members.nodes;
  }

  get awaitedCommands(): number {
    return this.pending.awaited;
  }

  get lastDialError(): DialError | undefined {
    const errors = this.nodes.masters.flatMap(({ engine }) => engine.lastDialError ?? []);
    return errors.find(({ fatal }) => fatal) ?? this.members.refusal ?? errors[0];
  }

  get connectAttempts(): number {
    return this.#sum((engine) => engine.connectAttempts);
  }

  start(): void {
    if (this.members.topology === undefined) this.members.watch.request();
  }

  // ---- commands ----

  place(command: PoolCommand): void {
    if (command.slot < 0) command.slot = slotOfCommand(command, (name) => this.directory.keyIndexesOf(name));
  }

  placeOfKeys(keys: readonly (string | Buffer)[]): number {
    const slot = slotOfKeys(keys, this.options.redis.keyPrefix);
    if (slot !== undefined) return slot;
    const why = 'a lease on a cluster is a connection to the node that has that key';
    throw new RedisPoolError('RP_ERR_INVALID_OPTION', `Option "key" is missing: ${why}`);
  }

  submit(command: PoolCommand, affinity: Affinity | undefined): void {
    const refusal = this.admission.refusal(1, command.bytes);
    if (refusal !== undefined) {
      command.fail(refusal);
      return;
    }
    // A command of a module, which the server was asked about meanwhile.
    if (command.slot < 0) this.place(command);
    this.start();
    this.commands.submit(command, affinity);
  }

  submitBatch(commands: readonly PoolCommand[], affinity: Affinity | undefined): void {
    const refusal = this.admission.refusalOfAll(commands);
    // One deadline for all.
    const startedAt = commands[0]?.startedAt || performance.now();
    for (const command of commands) {
      command.startedAt = startedAt;
      if (refusal !== undefined) command.fail(refusal);
      else this.place(command);
    }
    if (refusal !== undefined) return;
    this.start();
    this.commands.submitBatch(commands, affinity);
  }

  async runBlocking(
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    for (const command of commands) this.place(command);
    const parts = groupBySlot(commands);
    if (parts.length === 1) {
      await this.#leases.runBlocking(slotOfAll(commands), commands, signal, holder);
      return;
    }
    // When a part fails the chain does: what has not run by then never may.
    const end = new AbortController();
    failAsOne(commands, (error) => end.abort(error));
    const unwatch = onAbort(signal, () => end.abort(signal?.reason));
    if (signal?.aborted) end.abort(signal.reason);
    const runs = parts.map(([slot, members]) => this.#leases.runBlocking(slot, members, end.signal, holder));
    await Promise.all(runs).finally(unwatch);
  }

  async call(name: string, ...args: string[]): Promise<unknown> {
    const answers = this.members.masters.map(({ engine }) => engine.call(name, ...args));
    return (await Promise.all(answers))[0];
  }

  // ---- leases ----

  acquireNow(place: number): AcquiredLease | undefined {
    const engine = this.commands.router.ownerOf(place)?.engine;
    const slot = engine?.leases.acquireNow();
    return engine === undefined || slot === undefined ? undefined : { engine, slot };
  }

  acquire(place: number, options: AcquireOptions, asking: Holder | undefined): Promise<AcquiredLease> {
    return this.#leases.acquire(place, options, asking);
  }

  follow(error: unknown, times: number): BoundedAction<void> | undefined {
    return this.owners.follow(error, times);
  }

  async scanPlaces(): Promise<ReadonlyMap<string, number>> {
    await this.owners.owner(KEYLESS_SLOT, this.options.commandTimeoutMs, undefined);
    return this.commands.router.firstSlots();
  }

  // ---- what commands and members need ----

  get leaseLimitMs(): number {
    return this.options.commandTimeoutMs;
  }

  refresh(): void {
    this.members.watch.request();
  }

  makeEngine(address: NodeAddress, role: NodeRole, nodeOf: () => ClusterNode): Engine {
    const { counters, latency, cuts, delay, scripts, pending } = this;
    return new Engine(optionsOfNode(this.options, address, role), {
      ...{ counters, latency, cuts, delay, scripts, pending },
      redirected: (command, error) => this.commands.router.redirected(nodeOf(), command, error),
      isElsewhere: (error) => this.owners.isElsewhere(error),
    });
  }

  goneError({ name }: ClusterNode): Error {
    const reason = `lost its connection to ${name}, which has no slots any more`;
    return this.error('RP_ERR_CONNECTION_LOST', reason, { maybeExecuted: true });
  }

  replicaOf(master: ClusterNode): ClusterNode | undefined {
    return this.members.replicaOf(master);
  }

  learned(topology: Topology): void {
    this.commands.router.adopt(topology);
    this.#subscriberHost.follow();
    this.subscriber.rehome();
    this.owners.learned();
  }

  nodeLost(node: ClusterNode): void {
    this.commands.router.reclaim(node);
  }

  changed(event: 'up' | 'down' | 'dialFailed'): void {
    if (this.admission.hasEnded) return;
    const before = this.#status;
    if (this.isUp && before !== 'ready') {
      this.#status = 'ready';
      this.events.announce(before === 'connecting' ? 'ready' : 'restored');
    }
    if (before === 'ready' && this.members.isTroubled()) {
      this.#status = 'degraded';
      this.events.announce('degraded');
    }
    if (event === 'dialFailed') this.events.announce('dialFailed');
  }

  // ---- connections that belong to no node ----

  reserve(): boolean {
    return this.budget.reserve();
  }

  free(): void {
    this.budget.free();
  }

  // ---- end ----

  async drain(limitMs: number): Promise<void> {
    this.#status = 'draining';
    this.directory.end(this.refusalAtEnd());
    this.owners.end();
    void this.subscriber.drain(limitMs);
    // Commands of one node may go on at another: each of them waits for all commands, and for its own leases.
    await Promise.all([
      ...this.nodes.all.map(({ engine }) => engine.drain(limitMs)),
      this.#idle.until(limitMs),
    ]);
  }

  async shut(quitLimitMs: number, error?: unknown): Promise<void> {
    this.#status = 'closed';
    this.endError ??= error;
    this.owners.end();
    this.#idle.end();
    if (quitLimitMs <= 0) this.subscriber.destroy(this.endError);
    this.commands.end(this.endError);
    await Promise.all([
      this.members.watch.stop(),
      this.nodes.shut(quitLimitMs, this.endError),
      this.dedicated.close(),
      this.subscriber.close(quitLimitMs),
    ]);
    this.events.announce('close');
    this.events.removeAllListeners();
  }

  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError {
    return this.errors.make(code, reason, details);
  }

  refusalAtEnd(): RedisPoolError {
    return this.admission.refusalAtEnd();
  }

  stats(): PoolStats {
    return takeClusterStats(this);
  }

  #tellIfIdle(): void {
    for (const { engine } of this.nodes.all) engine.nothingAwaited();
    this.#idle.look();
  }

  #sum(count: (engine: Engine) => number): number {
    return this.nodes.all.reduce((sum, { engine }) => sum + count(engine), 0);
  }
}
