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
import { crossSlotKeysError } from '../errors/refusal.js';
import { HealthCheck } from '../health.js';
import type { Affinity } from '../lanes/affinity.js';
import { LatencyHistogram } from '../lanes/latency-histogram.js';
import { PendingCommands } from '../lanes/pending-commands.js';
import { DedicatedClients } from '../leases/dedicated.js';
import type { Holder } from '../leases/holder.js';
import type { AcquireOptions } from '../leases/leases.js';
import { onAbort, sleep } from '../on-abort.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { AcquiredLease, PoolEngine, PoolStatus } from '../pool-engine.js';
import type { PoolStats } from '../stats.js';
import { Subscriber } from '../subscriber/subscriber.js';
import type { DialError } from '../transport/dial.js';
import { LoopDelay } from '../transport/loop-delay.js';
import { failAsOne, segmentsOf } from './batches.js';
import { ClusterCommands, type ClusterCommandsHost } from './cluster-commands.js';
import { ClusterLeases, type ClusterLeasesHost } from './cluster-leases.js';
import { ClusterMembers, type MembersHost } from './cluster-members.js';
import { type ClusterNode, type NodeRole, optionsOfNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { type ClusterSettings, clusterSettings } from './cluster-settings.js';
import { takeClusterStats } from './cluster-stats.js';
import { ClusterSubscriberHost } from './cluster-subscriber-host.js';
import { KEYLESS_SLOT, slotOfAll, slotOfCommand } from './command-slot.js';
import { slotOfKey } from './key-slot.js';
import { type NodeAddress, type Redirection, redirectionOf } from './redirection.js';
import { PROMPT_REDIRECTIONS } from './slot-router.js';
import type { Topology } from './topology.js';

/** Of the time to drain, what the QUIT of the subscriber may take. */
const SUBSCRIBER_QUIT_MS = 500;

/** A pool on a cluster: one engine for each node, and what brings each command to the node that has its slot. */
export class ClusterEngine implements PoolEngine, ClusterCommandsHost, ClusterLeasesHost, MembersHost {
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
  readonly health = new HealthCheck(this);
  readonly events = new EngineEvents();
  readonly subscriber: Subscriber;
  readonly dedicated: DedicatedClients;
  /** Of the subscriber and the dedicated clients; each node has its own for the rest. */
  readonly budget: ConnectionBudget;
  readonly #leases: ClusterLeases;
  readonly #subscriberHost: ClusterSubscriberHost;
  /** Told when a node has said who has which slots, and at the end. */
  readonly #learned = new Set<() => void>();
  #status: PoolStatus = 'connecting';
  #endError: unknown;
  #onIdle: () => void = () => {};

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.settings = clusterSettings(options);
    this.errors = new PoolErrors(options.name, this.counters);
    this.pending = new PendingCommands(options, this.counters, () => this.#tellIfIdle());
    this.scripts = new ScriptRegistry(options.scripts);
    this.directory = new CommandDirectory((command) => this.submit(command, undefined));
    this.members = new ClusterMembers(this);
    this.commands = new ClusterCommands(this);
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

  get acquireTimeoutMs(): number {
    return this.options.acquireTimeoutMs;
  }

  get retryMs(): number {
    return this.settings.waitMs.tryAgain;
  }

  start(): void {
    if (this.members.topology === undefined) this.members.watch.request();
  }

  // ---- commands ----

  place(command: PoolCommand): void {
    if (command.slot < 0) command.slot = slotOfCommand(command, (name) => this.directory.keyIndexesOf(name));
  }

  placeOfKeys(keys: readonly (string | Buffer)[]): number {
    const prefix = this.options.redis.keyPrefix;
    const slots = new Set(keys.map((key) => slotOfKey(withPrefix(prefix, key))));
    if (slots.size > 1) throw crossSlotKeysError('transaction()');
    const [slot] = slots;
    if (slot !== undefined) return slot;
    const why = 'a lease on a cluster is a connection to the node that has that key';
    throw new RedisPoolError('RP_ERR_INVALID_OPTION', `Option "key" is missing: ${why}`);
  }

  submit(command: PoolCommand, affinity: Affinity | undefined): void {
    const refusal = this.#refusal(1, command.bytes);
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
    const refusal = this.#refusal(commands.length, sumOfBytes(commands));
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
    const bySlot = new Map<number, PoolCommand[]>();
    for (const command of commands) this.place(command);
    for (const segment of segmentsOf(commands)) {
      const members = segment.kind === 'command' ? [segment.command] : segment.commands;
      const slot = slotOfAll(members);
      bySlot.set(slot, [...(bySlot.get(slot) ?? []), ...members]);
    }
    if (bySlot.size > 1) failAsOne(commands);
    const runs = [...bySlot].map(([slot, members]) =>
      this.#leases.runBlocking(slot, members, signal, holder),
    );
    await Promise.all(runs);
  }

  async call(name: string, ...args: string[]): Promise<unknown> {
    const answers = this.members.masters.map(({ engine }) => engine.call(name, ...args));
    return (await Promise.all(answers))[0];
  }

  // ---- leases ----

  acquireNow(place: number): AcquiredLease | undefined {
    return this.commands.router.ownerOf(place)?.engine.acquireNow();
  }

  acquire(place: number, options: AcquireOptions, asking: Holder | undefined): Promise<AcquiredLease> {
    return this.#leases.acquire(place, options, asking);
  }

  async owner(slot: number, limitMs: number, signal: AbortSignal | undefined): Promise<ClusterNode> {
    const { router } = this.commands;
    if (router.ownerOf(slot) === undefined) await this.#untilLearned(limitMs, signal);
    const owner = router.ownerOf(slot);
    if (this.#status === 'draining' || this.#status === 'closed') throw this.#endError ?? this.refusalAtEnd();
    if (owner !== undefined) return owner;
    const reason = `has no connection; a lease waited ${limitMs} ms (acquireTimeoutMs)`;
    const timeSpent = { connectionMs: limitMs };
    const details = { cause: this.lastDialError, maybeExecuted: false, timeSpent };
    throw this.error('RP_ERR_ACQUIRE_TIMEOUT', reason, details);
  }

  async follow(error: unknown, times: number): Promise<boolean> {
    const previous = error instanceof Error ? Reflect.get(error, 'previousErrors') : undefined;
    const errors = [error, ...(Array.isArray(previous) ? previous : [])];
    const redirection = errors.map(redirectionOf).find((each) => each !== undefined);
    if (redirection === undefined || times >= this.settings.maxRedirections) return false;
    this.#learn(redirection);
    const isPrompt = redirection.kind === 'moved' && times < PROMPT_REDIRECTIONS;
    if (!isPrompt) await sleep(this.retryMs, undefined);
    return true;
  }

  async scanPlaces(): Promise<readonly number[]> {
    await this.owner(KEYLESS_SLOT, this.options.commandTimeoutMs, undefined);
    const { owners = [], shards } = this.members.topology ?? {};
    return [...(shards?.keys() ?? [])].map((name) => owners.indexOf(name));
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
      isElsewhere: (error) => this.isElsewhere(error),
    });
  }

  goneError({ name }: ClusterNode): Error {
    const reason = `lost its connection to ${name}, which has no slots any more`;
    return this.error('RP_ERR_CONNECTION_LOST', reason, { maybeExecuted: true });
  }

  /** Whether an error reply means that its node ran nothing, because it does not have the slot (any more). */
  isElsewhere(error: Error): boolean {
    const redirection = redirectionOf(error);
    if (redirection !== undefined) this.#learn(redirection);
    return redirection !== undefined;
  }

  replicaOf(master: ClusterNode): ClusterNode | undefined {
    return this.members.replicaOf(master);
  }

  learned(topology: Topology): void {
    this.commands.router.adopt(topology);
    this.#subscriberHost.follow();
    this.subscriber.rehome();
    for (const told of this.#learned) told();
  }

  nodeLost(node: ClusterNode): void {
    this.commands.router.reclaim(node);
  }

  changed(event: 'up' | 'down' | 'dialFailed'): void {
    if (this.#status === 'draining' || this.#status === 'closed') return;
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

  reserveOrThrow(): void {
    if (this.#status === 'draining' || this.#status === 'closed') throw this.refusalAtEnd();
    if (this.reserve()) return;
    const reason = `has no connection left: maxConnections ${this.budget.max} is reached`;
    throw this.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }

  freePlace(): void {
    this.budget.free();
  }

  // ---- end ----

  async drain(limitMs: number): Promise<void> {
    this.#status = 'draining';
    this.directory.end(this.refusalAtEnd());
    for (const told of this.#learned) told();
    void this.subscriber.close(Math.min(limitMs, SUBSCRIBER_QUIT_MS));
    // Commands of one node may go on at another: each of them waits for all commands, and for its own leases.
    await Promise.all([
      ...this.nodes.all.map(({ engine }) => engine.drain(limitMs)),
      this.#untilIdle(limitMs),
    ]);
  }

  async shut(quitLimitMs: number, error?: unknown): Promise<void> {
    this.#status = 'closed';
    this.#endError ??= error;
    for (const told of this.#learned) told();
    this.#onIdle();
    if (quitLimitMs <= 0) this.subscriber.destroy(this.#endError);
    this.commands.end(this.#endError);
    await Promise.all([
      this.members.watch.stop(),
      this.nodes.shut(quitLimitMs, this.#endError),
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
    const closed = this.#status === 'closed';
    const reason = closed ? 'is closed' : 'is closing and takes no new commands';
    return this.error(closed ? 'RP_ERR_CLOSED' : 'RP_ERR_CLOSING', reason, { maybeExecuted: false });
  }

  stats(): PoolStats {
    return takeClusterStats(this);
  }

  #refusal(commands: number, bytes: number): RedisPoolError | undefined {
    if (this.#status === 'draining' || this.#status === 'closed') return this.refusalAtEnd();
    const overflow = this.pending.overflow(commands, bytes);
    return overflow === undefined
      ? undefined
      : this.errors.makeOfMany('RP_ERR_QUEUE_FULL', overflow, { maybeExecuted: false });
  }

  #learn(redirection: Redirection): void {
    this.refresh();
    if (redirection.kind !== 'moved') return;
    const asked = this.commands.router.ownerOf(redirection.slot);
    if (asked !== undefined) this.commands.router.learn(redirection, asked);
  }

  async #untilLearned(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.start();
    const waiting = new AbortController();
    const told = (): void => waiting.abort();
    const unwatch = onAbort(signal, told);
    this.#learned.add(told);
    await sleep(limitMs, waiting.signal).catch(() => {});
    this.#learned.delete(told);
    unwatch();
    signal?.throwIfAborted();
  }

  #tellIfIdle(): void {
    for (const { engine } of this.nodes.all) engine.nothingAwaited();
    if (this.awaitedCommands === 0) this.#onIdle();
  }

  async #untilIdle(limitMs: number): Promise<void> {
    if (this.awaitedCommands === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #sum(count: (engine: Engine) => number): number {
    return this.nodes.all.reduce((sum, { engine }) => sum + count(engine), 0);
  }
}

function withPrefix(prefix: string, key: string | Buffer): string | Buffer {
  return typeof key === 'string' ? prefix + key : Buffer.concat([Buffer.from(prefix), key]);
}

function sumOfBytes(commands: readonly PoolCommand[]): number {
  return commands.reduce((sum, command) => sum + command.bytes, 0);
}
