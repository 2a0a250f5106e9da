import type { PoolCommand } from '../commands/command.js';
import type { Place } from '../errors/place.js';
import type { Connection } from '../transport/connection.js';
import { BlockingCalls } from './blocking-calls.js';
import { BlockingMoves } from './blocking-moves.js';
import { isDeadlock, type Tenant } from './deadlock.js';
import { ExclusivePool, type ExclusivePoolCounts, type ResourceHost, type Slot } from './exclusive-pool.js';
import { ForgottenLeases } from './forgotten-leases.js';
import { type Holder, WaitingHolders } from './holder.js';
import { LeaseConnection, type LeaseErrors } from './lease-connection.js';
import { LeaseHooks } from './lease-hooks.js';
import type { LeaseHost } from './lease-host.js';
import { LeaseReports } from './lease-reports.js';
import { LeaseWatch } from './lease-watch.js';
import { unblockIdOf } from './unblock-id.js';

export type LeaseSlot = Slot<LeaseConnection>;

export interface AcquireOptions {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Limit of the wait, ms, from 1. @default acquireTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /**
   * On a cluster, and only there: a key of those that the lease is for. It is a connection to the node that has that
   * key, and so all keys with the same hash tag. @default none; without a cluster it says nothing
   */
  readonly key?: string | Buffer | undefined;
}

type Phase = { readonly tag: 'open' | 'draining' } | { readonly tag: 'closed'; readonly error: unknown };

const RELEASED = Promise.resolve();

/** Connections that one caller has for itself; opened when needed, closed when idle, never more than the cap. */
export class Leases implements ResourceHost<LeaseConnection>, LeaseErrors {
  readonly commandTimeoutMs: number;
  readonly #host: LeaseHost;
  readonly #pool: ExclusivePool<LeaseConnection>;
  readonly #tenants = new Map<LeaseSlot, Tenant>();
  readonly #connected = new Set<LeaseConnection>();
  readonly #waiting = new WaitingHolders();
  readonly blocking: BlockingCalls;
  readonly forgotten: ForgottenLeases;
  readonly #watch: LeaseWatch;
  readonly #reports: LeaseReports;
  readonly #hooks: LeaseHooks;
  /** Ends attempts to connect and hooks that run. */
  readonly #abort = new AbortController();
  /** Ends the waits for the hook `release`, which may hang. */
  readonly #end = new AbortController();
  #phase: Phase = { tag: 'open' };
  #lanesSeen = 0;

  constructor(host: LeaseHost) {
    const { commandTimeoutMs, minIdleLeases, leaseIdleMs, leaseMaxLifetimeMs, maxWaiting } = host.options;
    this.commandTimeoutMs = commandTimeoutMs;
    this.#host = host;
    this.#watch = new LeaseWatch(host.options.leaseReportMs, (heldMs, place) =>
      this.#reports.longLease(heldMs, place),
    );
    this.#pool = new ExclusivePool(this, {
      minIdle: minIdleLeases,
      idleMs: leaseIdleMs,
      maxLifetimeMs: leaseMaxLifetimeMs,
      maxWaiting,
    });
    this.#reports = new LeaseReports(host, this.#pool);
    this.blocking = new BlockingCalls(host, this.#reports);
    this.#hooks = new LeaseHooks(host.options, this.#reports);
    this.forgotten = new ForgottenLeases((lease) => this.#reports.forgottenLease(lease));
  }

  get counts(): ExclusivePoolCounts {
    return this.#pool.counts;
  }

  /** A connection that can be had without waiting for anything, not even a hook; `undefined` when there is none. */
  acquireNow(): LeaseSlot | undefined {
    if (this.#host.options.hooks.acquire !== undefined) return undefined;
    const slot = this.#pool.tryAcquire();
    if (slot !== undefined) this.#tenants.set(slot, 'command');
    return slot;
  }

  /**
   * A connection for the caller alone. `holder`: who asks, where known, so that waiting for oneself is seen.
   *
   * @throws RedisPoolError `RP_ERR_ACQUIRE_TIMEOUT`, `RP_ERR_QUEUE_FULL`, `RP_ERR_LEASE_DEADLOCK`, `RP_ERR_CLOSING`,
   * `RP_ERR_CLOSED`; the reason of `signal`; what the hook `acquire` throws.
   */
  async acquire(options: AcquireOptions, holder: Holder | undefined): Promise<LeaseSlot> {
    options.signal?.throwIfAborted();
    if (this.#phase.tag !== 'open') throw this.#endError(false);
    const { timeoutMs: limitMs = this.#host.options.acquireTimeoutMs } = options;
    const startedAt = performance.now();
    const slot = this.#pool.tryAcquire() ?? (await this.#wait(options.signal, limitMs, holder));
    this.#tenants.set(slot, 'command');
    const leftMs = limitMs - (performance.now() - startedAt);
    if (this.#host.options.hooks.acquire !== undefined)
      await this.#runAcquireHook(slot, options.signal, leftMs);
    return slot;
  }

  /** Says who holds a slot from now on, and where it was acquired. */
  setTenant(slot: LeaseSlot, tenant: Holder | 'someone', place: Place): void {
    this.#tenants.set(slot, tenant);
    slot.resource.acquiredAt = place;
    this.#watch.add(slot, place);
  }

  /**
   * Takes a lease back: clean as it is, otherwise when everything is answered and undone, and destroyed where that
   * cannot be done for certain. What waits at the server is ended.
   */
  release(slot: LeaseSlot): Promise<void> {
    this.#watch.remove(slot);
    const { release } = this.#host.options.hooks;
    if (!slot.resource.isClean || release !== undefined) return this.#releaseSlowly(slot);
    this.#giveBack(slot, true);
    return RELEASED;
  }

  /**
   * Runs blocking commands on a connection of their own, for exactly as long as they take, and settles them: one
   * alone, or a pipeline.
   */
  async runBlocking(
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    const moves = new BlockingMoves(this.#host);
    do {
      let slot: LeaseSlot;
      try {
        slot = this.acquireNow() ?? (await this.acquire({ signal }, holder));
      } catch (error) {
        for (const command of commands) command.fail(error);
        return;
      }
      const goesOn = (error: unknown): boolean =>
        moves.next(commands[0] as PoolCommand, error, this.#pool.isOutdated(slot));
      const settle = await this.blocking.run(commands, slot.resource, { signal, goesOn });
      // In one step: it is back before the caller goes on, whose next call finds it.
      try {
        settle();
      } finally {
        await this.release(slot);
      }
    } while (moves.isDue(commands));
  }

  /** Refuses new leases and ends every wait, for a lease or inside a blocking command. */
  drain(): void {
    if (this.#phase.tag === 'open') this.#phase = { tag: 'draining' };
    this.#abort.abort();
    this.#pool.close(() => this.#endError(false));
    this.blocking.end((maybeExecuted) => this.#endError(maybeExecuted));
  }

  /**
   * Cuts what is still held; resolves when every connection is closed. `error`: what its callers get, instead of
   * `RP_ERR_CLOSED`.
   */
  async destroy(error?: unknown): Promise<void> {
    if (this.#phase.tag !== 'closed') {
      this.#phase = { tag: 'closed', error };
      this.#end.abort();
      this.drain();
      this.#watch.close();
      this.forgotten.close();
      for (const [{ resource }, tenant] of this.#tenants) {
        if (tenant !== 'command') this.#host.cuts.addLease(resource.acquiredAt);
      }
    }
    const connections = [...this.#connected];
    for (const lease of connections) lease.destroy();
    await Promise.all(connections.map(({ connection }) => connection.gone));
  }

  /** To be called when a place of the budget came free. */
  grow(): void {
    this.#pool.grow();
  }

  /** To be called with each new connection of a lane. */
  laneConnected(): void {
    this.#lanesSeen += 1;
    // Another server may be at that address now: what was connected before is not handed out again.
    if (this.#lanesSeen > this.#host.options.lanes) this.#pool.reset();
    this.#pool.grow();
  }

  /** No connection made before now is handed out again. */
  reset(): void {
    this.#pool.reset();
  }

  /** Calls `say` with each connection as soon as nobody holds it. */
  renew(say: (connection: Connection) => void): void {
    for (const lease of this.#connected) {
      lease.renew = say;
      if (this.#isIdle(lease)) lease.renewIfDue();
    }
  }

  evictOne(): boolean {
    return this.#pool.evictOne();
  }

  // ---- what the pool of connections asks ----

  async create(): Promise<LeaseConnection> {
    const { options } = this.#host;
    const home = { db: options.db, name: `${options.name}:lease:${process.pid}` };
    const prepare = async (connection: Connection): Promise<LeaseConnection> => {
      const lease = new LeaseConnection(connection, await unblockIdOf(connection), home, this);
      this.#connected.add(lease);
      // A holder's commands have limits of their own, and a PING in between could be an answer of its transaction.
      this.#host.watch.add({ connection, owed: () => 0, mayPing: () => this.#isIdle(lease) });
      lease.onLost(() => {
        this.#connected.delete(lease);
        this.#pool.forget(lease);
      });
      return lease;
    };
    return this.#host.dials.dial('lease', prepare, this.#abort.signal);
  }

  destroyOne(lease: LeaseConnection): void {
    lease.destroy();
  }

  isUsable(lease: LeaseConnection): boolean {
    return lease.isUsable;
  }

  reserve(): boolean {
    return this.#host.budget.reserve();
  }

  free(): void {
    this.#host.budget.free();
  }

  canCreate(): boolean {
    return this.#host.isUp;
  }

  // ---- what a connection ends commands with ----

  lost(command: PoolCommand, cause: unknown, maybeExecuted: boolean): unknown {
    if (this.#phase.tag !== 'open') this.#host.cuts.addCommand(command.profile.name.toUpperCase());
    if (this.#phase.tag !== 'closed') return this.#reports.lost(command, cause, maybeExecuted);
    return this.#phase.error ?? this.#reports.closed(command, cause, maybeExecuted);
  }

  useless(reason: string): void {
    this.#host.replaceUseless(reason);
  }

  isElsewhere(error: unknown): boolean {
    return this.blocking.isElsewhere(error);
  }

  silent(connection: Connection, silentMs: number): void {
    this.blocking.silent(connection, silentMs);
  }

  late(command: PoolCommand, timeoutMs: number, connection: Connection): unknown {
    return this.#reports.late(command, timeoutMs, connection);
  }

  async #wait(
    signal: AbortSignal | undefined,
    timeoutMs: number,
    holder: Holder | undefined,
  ): Promise<LeaseSlot> {
    if (holder !== undefined) this.#refuseDeadlock(holder);
    this.#host.start();
    if (holder !== undefined) this.#waiting.add(holder);
    try {
      return await this.#pool.wait({
        timeoutMs,
        signal,
        onTimeout: () => this.#reports.noLease(timeoutMs, holder),
        onFull: () => this.#reports.full(),
      });
    } finally {
      if (holder !== undefined) this.#waiting.remove(holder);
    }
  }

  async #runAcquireHook(slot: LeaseSlot, signal: AbortSignal | undefined, timeoutMs: number): Promise<void> {
    try {
      await this.#hooks.acquire(timeoutMs, [signal, this.#abort.signal]);
    } catch (error) {
      this.#giveBack(slot, true);
      throw this.#abort.signal.aborted ? this.#endError(false) : error;
    }
  }

  async #releaseSlowly(slot: LeaseSlot): Promise<void> {
    const lease = slot.resource;
    // On its way back: it will come free whatever its holder does.
    this.#tenants.set(slot, 'command');
    for (const work of lease.works) work.cancel((maybeExecuted) => this.#reports.released(maybeExecuted));
    this.#giveBack(slot, lease.isClean || (await lease.clean(this.commandTimeoutMs)));
    await this.#hooks.release(this.#end.signal);
  }

  #giveBack(slot: LeaseSlot, reusable: boolean): void {
    this.#tenants.delete(slot);
    if (reusable) slot.resource.renewIfDue();
    this.#pool.release(slot, reusable);
    this.#host.leaseReturned();
  }

  /** A caller that holds a lease waits for another while every lease there can be is held by callers that wait. */
  #refuseDeadlock(holder: Holder): void {
    const holding = holder.holding();
    const { idle, creating, leased } = this.#pool.counts;
    const { used, max } = this.#host.budget;
    if (holding === undefined || idle + creating > 0 || used < max) return;
    if (!isDeadlock({ holder, tenants: this.#tenants.values(), leased, waiting: this.#waiting })) return;
    throw this.#reports.deadlock(holding.place);
  }

  #isIdle(lease: LeaseConnection): boolean {
    for (const { resource } of this.#tenants.keys()) if (resource === lease) return false;
    return lease.isClean;
  }

  #endError(maybeExecuted: boolean): unknown {
    if (this.#phase.tag !== 'closed')
      return this.#host.error('RP_ERR_CLOSING', 'is closing', { maybeExecuted });
    return this.#phase.error ?? this.#host.error('RP_ERR_CLOSED', 'is closed', { maybeExecuted });
  }
}
