import { Admission } from './admission.js';
import type { PoolCommand } from './commands/command.js';
import { createCommand } from './commands/create-command.js';
import { profileOf } from './commands/routing.js';
import { ScriptRegistry } from './commands/script-registry.js';
import { adviseOnConnections } from './connection-advice.js';
import { ConnectionBudget } from './connection-budget.js';
import { Counters } from './counters.js';
import { CutList } from './cut-list.js';
import { EngineEvents } from './engine-events.js';
import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from './errors/errors.js';
import { PoolErrors } from './errors/pool-errors.js';
import { IdleWait } from './idle-wait.js';
import { Affinity } from './lanes/affinity.js';
import type { Lane, LaneConnection, LaneLoss } from './lanes/lane.js';
import { type DialerHost, LaneDialer } from './lanes/lane-dialer.js';
import { LaneRouter, type RouterHost } from './lanes/lane-router.js';
import { LatencyHistogram } from './lanes/latency-histogram.js';
import { PendingCommands } from './lanes/pending-commands.js';
import type { LeaseHost, OwnCall } from './leases/lease-host.js';
import { Leases } from './leases/leases.js';
import { silentLogger } from './options/logger.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { PoolStatus } from './pool-engine.js';
import { locatorFor } from './sentinel/sentinel-locator.js';
import { ServerTrust, type TrustHost } from './server-trust.js';
import type { Connection } from './transport/connection.js';
import { ConnectionWatch, type WatchHost } from './transport/connection-watch.js';
import { CredentialSource } from './transport/credential-source.js';
import type { DialError } from './transport/dial.js';
import { DialCoordinator } from './transport/dial-coordinator.js';
import { LoopDelay } from './transport/loop-delay.js';
import type { ServerLocator } from './transport/server-locator.js';

/** What the engines of the nodes of one cluster have in common. */
export interface SharedParts {
  readonly counters: Counters;
  readonly latency: LatencyHistogram;
  readonly cuts: CutList;
  readonly delay: LoopDelay;
  readonly scripts: ScriptRegistry;
  readonly pending: PendingCommands;
  /** See {@link RouterHost}. */
  redirected(command: PoolCommand, error: Error): boolean;
  /** See {@link LeaseHost}. */
  isElsewhere(error: Error): boolean;
}

/** Owns the lanes and leases of one server: that of a pool, or a node of its cluster. */
export class Engine implements RouterHost, DialerHost, LeaseHost, TrustHost, WatchHost {
  readonly options: ResolvedOptions;
  readonly counters: Counters;
  readonly latency: LatencyHistogram;
  readonly cuts: CutList;
  readonly delay: LoopDelay;
  readonly pending: PendingCommands;
  readonly watch: ConnectionWatch;
  readonly errors: PoolErrors;
  readonly scripts: ScriptRegistry;
  readonly router: LaneRouter;
  readonly locator: ServerLocator | undefined;
  readonly dials: DialCoordinator;
  readonly budget: ConnectionBudget;
  readonly leases: Leases;
  readonly events = new EngineEvents();
  readonly admission = new Admission(this);
  readonly #dialer: LaneDialer;
  readonly #trust: ServerTrust;
  readonly #credentials: CredentialSource;
  #status: PoolStatus = 'connecting';
  readonly #shared: SharedParts | undefined;
  /** What `destroy()` was given. */
  #endError: unknown;
  readonly #idle = new IdleWait(() => this.awaitedCommands === 0 && this.leases.counts.leased === 0);

  constructor(options: ResolvedOptions, shared?: SharedParts) {
    this.options = options;
    this.#shared = shared;
    this.counters = shared?.counters ?? new Counters();
    this.latency = shared?.latency ?? new LatencyHistogram();
    this.cuts = shared?.cuts ?? new CutList();
    this.delay = shared?.delay ?? new LoopDelay();
    this.pending =
      shared?.pending ?? new PendingCommands(options, this.counters, () => this.nothingAwaited());
    this.errors = new PoolErrors(options.name, this.counters);
    this.watch = new ConnectionWatch(this);
    this.router = new LaneRouter(this);
    this.#trust = new ServerTrust(this);
    this.#credentials = new CredentialSource(options, this.#trust);
    this.locator = locatorFor(options, this.watch, () => this.dials.retryNow());
    const target = { options, credentials: this.#credentials, locator: this.locator };
    this.dials = new DialCoordinator(target, (error) => this.#dialFailed(error));
    this.#dialer = new LaneDialer(this);
    this.budget = new ConnectionBudget(options.maxConnections, options.lanes);
    this.leases = new Leases(this);
    this.scripts = shared?.scripts ?? new ScriptRegistry(options.scripts);
  }

  get status(): PoolStatus {
    return this.#status;
  }

  get lanes(): readonly Lane[] {
    return this.router.lanes.all;
  }

  get awaitedCommands(): number {
    return this.pending.awaited;
  }

  get isUp(): boolean {
    return this.router.lanes.isUp;
  }

  get lastDialError(): DialError | undefined {
    return this.dials.lastError;
  }

  get connectAttempts(): number {
    return this.dials.attempts;
  }

  /** Starts to connect, unless it did already; a pool opens nothing before its first use. */
  start(): void {
    this.#dialer.start();
  }

  /** A command of the pool's own, over a lane. */
  call(name: string, ...args: string[]): Promise<unknown> {
    return this.#callOwn(name, args, this.#newAffinity());
  }

  /** Commands of the pool's own, one right behind the other over the same lane. */
  callTogether(calls: readonly OwnCall[]): Promise<unknown>[] {
    const affinity = this.#newAffinity();
    return calls.map(([name, ...args]) => this.#callOwn(name, args, affinity));
  }

  #callOwn(name: string, args: string[], affinity: Affinity | undefined): Promise<unknown> {
    const command = createCommand(name, profileOf(name), args, 'utf8', undefined);
    const promise = command.createPromise();
    // Also while draining: UNBLOCK is what ends the waits.
    if (this.#status === 'closed') command.fail(this.refusalAtEnd());
    else this.router.acceptOwn(command, affinity);
    return promise;
  }

  #newAffinity(): Affinity | undefined {
    return this.lanes.length > 1 ? new Affinity() : undefined;
  }

  // ---- places of the budget ----

  /** A place for something that is neither lane nor lease; an idle lease makes room. */
  reserve(): boolean {
    return this.budget.reserve() || (this.leases.evictOne() && this.budget.reserve());
  }

  free(): void {
    this.budget.free();
    this.leases.grow();
  }

  /** A connection for a subscriber. */
  open(signal: AbortSignal): Promise<Connection> {
    const prepare = async (connection: Connection): Promise<Connection> => {
      // What it says on the wire has limits of its own.
      this.watch.add({ connection, owed: () => 0, mayPing: () => true });
      return connection;
    };
    return this.dials.dial('subscriber', prepare, signal);
  }

  leaseReturned(): void {
    this.#idle.look();
  }

  // ---- what the router tells ----

  laneLost({ wasRetiring }: LaneLoss): void {
    if (!wasRetiring) this.counters.lostConnections += 1;
    if (this.#status !== 'ready' || this.isUp) return;
    this.#status = 'degraded';
    this.events.announce('degraded');
  }

  replaceUseless(reason: string): boolean {
    return this.#status !== 'closed' && this.#trust.replaceUseless(reason);
  }

  /** To be called when nobody waits for a command any more. */
  nothingAwaited(): void {
    this.#idle.look();
  }

  fellSilent(): void {
    this.events.announce('silent');
  }

  redirected(command: PoolCommand, error: Error): boolean {
    return this.#shared?.redirected(command, error) ?? false;
  }

  isElsewhere(error: Error): boolean {
    return this.#shared?.isElsewhere(error) ?? false;
  }

  // ---- what the dialer tells ----

  nextLaneDown(): Lane | undefined {
    return this.lanes.find((lane) => lane.isDown);
  }

  connected(lane: Lane, made: LaneConnection): void {
    lane.attach(made);
    this.#watchLane(lane, made);
    const before = this.#status;
    if (before === 'connecting' || before === 'degraded') {
      this.#status = 'ready';
      this.events.announce(before === 'connecting' ? 'ready' : 'restored');
    }
    // For the log only, and only where there is one.
    if (before === 'connecting' && this.options.logger !== silentLogger)
      adviseOnConnections(this).catch(() => {});
    this.leases.laneConnected();
    this.router.pump();
  }

  madeNext(lane: Lane, made: LaneConnection): void {
    lane.retire(made);
    this.#watchLane(lane, made);
  }

  // ---- what the trust in the server needs ----

  get liveConnections(): Iterable<Connection> {
    return this.dials.live.keys();
  }

  retireLanes(reason: string): void {
    this.router.lanes.retireAll(reason);
  }

  renewLeases(say: (connection: Connection) => void): void {
    this.leases.renew(say);
  }

  resetLeases(): void {
    this.leases.reset();
  }

  retryCredentials(): void {
    this.#credentials.retrySoon();
  }

  // ---- end ----

  /** Refuses new work and resolves when nobody waits for anything any more, at the latest after `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    this.#status = 'draining';
    this.leases.drain();
    await this.#idle.until(limitMs);
  }

  /** Closes the connections, with QUIT for at most `quitLimitMs` each, and fails what still waits. */
  async shut(quitLimitMs: number, error?: unknown): Promise<void> {
    this.#status = 'closed';
    this.#endError ??= error;
    this.router.close(this.#endError);
    this.watch.close();
    this.#credentials.close();
    // A drain that still waits has nothing more to wait for.
    this.#idle.end();
    const leasesClosed = this.leases.destroy(this.#endError);
    const restClosed = this.closeRest(quitLimitMs, this.#endError);
    const dialerStopped = this.#dialer.stop();
    const connections = [...this.dials.live.keys()].filter(({ role }) => role === 'lane');
    for (const connection of connections) {
      if (quitLimitMs > 0) connection.quit(quitLimitMs);
      else connection.destroy();
    }
    this.router.failWaiting();
    // Not before what was in flight is settled too.
    await Promise.all([
      dialerStopped,
      leasesClosed,
      restClosed,
      this.locator?.close(),
      ...connections.map(({ gone }) => gone),
    ]);
    this.events.announce('close');
    this.events.removeAllListeners();
  }

  /** What else has to be closed. */
  protected async closeRest(_quitLimitMs: number, _error: unknown): Promise<void> {}

  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError {
    return this.errors.make(code, reason, details);
  }

  refusalAtEnd(): RedisPoolError {
    return this.admission.refusalAtEnd();
  }

  #watchLane(lane: Lane, { connection }: LaneConnection): void {
    const owed = (): number => (lane.connection === connection ? lane.inFlight : 0);
    this.watch.add({ connection, owed, mayPing: () => true });
  }

  #dialFailed(error: DialError): void {
    this.counters.countError(error.code);
    this.events.announce('dialFailed');
  }
}
