import { BlockingCall, type BlockingHost, endWaits } from './blocking-call.js';
import { blockingTimeoutMs } from './blocking-timeout.js';
import type { PoolCommand } from './command.js';
import type { Connection } from './connection.js';
import type { ConnectionBudget } from './connection-budget.js';
import type { Counters } from './counters.js';
import { dial } from './dial.js';
import type { RedisPoolError, RedisPoolErrorCode } from './errors.js';
import { ExclusivePool, type ExclusivePoolCounts, type ResourceHost, type Slot } from './exclusive-pool.js';
import type { Holder } from './holder.js';
import { LeaseConnection } from './lease-connection.js';
import { LeaseWatch } from './lease-watch.js';
import type { ResolvedOptions } from './resolved-options.js';
import { classify } from './routing.js';

export type LeaseSlot = Slot<LeaseConnection>;

/** What leases need of their engine. */
export interface LeaseHost {
  readonly options: ResolvedOptions;
  readonly budget: ConnectionBudget;
  readonly counters: Counters;
  /** Whether a lane is up: leases follow where a lane could go, so that an outage is probed by the lanes alone. */
  readonly isUp: boolean;
  readonly lastDialError: unknown;
  start(): void;
  /** A command over a lane. */
  call(name: string, ...args: string[]): Promise<unknown>;
  error(
    code: RedisPoolErrorCode,
    reason: string,
    details?: { cause?: unknown; maybeExecuted?: boolean },
  ): RedisPoolError;
  leaseReturned(): void;
}

export interface AcquireOptions {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Limit of the wait, ms, from 1. @default acquireTimeoutMs */
  readonly timeoutMs?: number | undefined;
}

/** Connections that one caller has for itself; opened when needed, closed when idle, never more than the cap. */
export class Leases implements ResourceHost<LeaseConnection>, BlockingHost {
  readonly commandTimeoutMs: number;
  readonly #host: LeaseHost;
  readonly #pool: ExclusivePool<LeaseConnection>;
  readonly #abort = new AbortController();
  readonly #owners = new Map<LeaseSlot, Holder | undefined>();
  readonly #blocking = new Set<Pick<BlockingCall, 'cancel'>>();
  readonly #watch: LeaseWatch;
  #mayUnblock: Promise<boolean> | undefined;

  constructor(host: LeaseHost) {
    const { commandTimeoutMs, minIdleLeases, leaseIdleMs, leaseMaxLifetimeMs, maxWaiting } = host.options;
    this.commandTimeoutMs = commandTimeoutMs;
    this.#host = host;
    this.#watch = new LeaseWatch(host.options.leaseReportMs, (heldMs, place) => this.#report(heldMs, place));
    this.#pool = new ExclusivePool(this, {
      minIdle: minIdleLeases,
      idleMs: leaseIdleMs,
      maxLifetimeMs: leaseMaxLifetimeMs,
      maxWaiting,
    });
  }

  get counts(): ExclusivePoolCounts {
    return this.#pool.counts;
  }

  get blockingCalls(): number {
    return this.#blocking.size;
  }

  /**
   * A connection for the caller alone. `holder`: who asks, where known, so that waiting for oneself is seen.
   *
   * @throws RedisPoolError `RP_ERR_ACQUIRE_TIMEOUT`, `RP_ERR_QUEUE_FULL`, `RP_ERR_LEASE_DEADLOCK`, `RP_ERR_CLOSING`;
   * the reason of `signal`.
   */
  async acquire(options: AcquireOptions, holder: Holder | undefined): Promise<LeaseSlot> {
    options.signal?.throwIfAborted();
    if (this.#abort.signal.aborted)
      throw this.#host.error('RP_ERR_CLOSING', 'is closing and gives out no lease');
    const slot = this.#pool.tryAcquire() ?? (await this.#wait(options, holder));
    this.#owners.set(slot, holder);
    return slot;
  }

  /** Says who holds a slot from now on, and where it was acquired. */
  setOwner(slot: LeaseSlot, owner: Holder, place: Error): void {
    this.#owners.set(slot, owner);
    owner.place = place;
    this.#watch.add(slot, place);
  }

  /** Takes a lease back: clean as it is, otherwise cleaned, and destroyed where that cannot be done for certain. */
  async release(slot: LeaseSlot): Promise<void> {
    this.#owners.delete(slot);
    this.#watch.remove(slot);
    const lease = slot.resource;
    const asItIs = lease.inFlight === 0 && lease.state.isClean;
    const reusable = asItIs || (await lease.clean(this.commandTimeoutMs));
    this.#pool.release(slot, reusable);
    this.#host.leaseReturned();
  }

  /**
   * Runs blocking commands on a connection of their own, for exactly as long as they take, and settles them. One
   * alone is a blocking call; several are a pipeline, whose cancelled waits end as if their time was over.
   */
  async runBlocking(
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void> {
    let slot: LeaseSlot;
    try {
      slot = await this.acquire({ signal }, holder);
    } catch (error) {
      for (const command of commands) command.fail(error);
      return;
    }
    const [only] = commands as [PoolCommand];
    if (commands.length === 1) await this.blockOn(slot.resource, only, signal);
    else await this.#runChain(slot.resource, commands, signal);
    await this.release(slot);
  }

  /** Runs a blocking command on a lease that is held already. */
  async blockOn(
    lease: LeaseConnection,
    command: PoolCommand,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const call = new BlockingCall(this, command, lease);
    await this.#cancellable(call, signal, () => call.run());
  }

  async #runChain(
    lease: LeaseConnection,
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let ending: Promise<void> | undefined;
    const cancel = (): void => {
      ending ??= endWaits(this, lease);
    };
    await this.#cancellable({ cancel }, signal, async () => {
      const timeoutMs = chainTimeoutMs(commands, this.commandTimeoutMs);
      await Promise.all(commands.map((command) => sendAndSettle(lease, command, timeoutMs)));
      await ending;
    });
  }

  async #cancellable(
    call: Pick<BlockingCall, 'cancel'>,
    signal: AbortSignal | undefined,
    run: () => Promise<void>,
  ): Promise<void> {
    const onAbort = (): void => call.cancel(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#blocking.add(call);
    if (signal?.aborted) onAbort();
    await run();
    this.#blocking.delete(call);
    signal?.removeEventListener('abort', onAbort);
  }

  /** Refuses new leases and ends every wait, for a lease or inside a blocking command. */
  drain(): void {
    const closing = (): RedisPoolError =>
      this.#host.error('RP_ERR_CLOSING', 'is closing', { maybeExecuted: false });
    this.#abort.abort();
    this.#pool.close(closing);
    for (const call of this.#blocking) call.cancel(closing());
  }

  /** Cuts what is still held. */
  destroy(): void {
    this.drain();
    this.#watch.close();
    for (const { resource } of this.#owners.keys()) resource.destroy();
  }

  /** To be called when a lane is up again, or a place of the budget came free. */
  grow(): void {
    this.#pool.grow();
  }

  /** To be called with each new connection of a lane: it may have another server, or user, at its end. */
  laneConnected(): void {
    this.#mayUnblock = undefined;
    this.#pool.resume();
  }

  evictOne(): boolean {
    return this.#pool.evictOne();
  }

  // ---- what the pool of connections asks ----

  async create(): Promise<LeaseConnection> {
    const prepare = async (connection: Connection): Promise<LeaseConnection> => {
      const { db, name } = this.#host.options;
      const home = { db, name: `${name}:lease:${process.pid}` };
      const lease = new LeaseConnection(connection, await clientIdOf(connection), home, (...details) =>
        this.#host.error(...details),
      );
      lease.onLost(() => this.#pool.forget(lease));
      return lease;
    };
    return dial(this.#host.options, 'lease', prepare, this.#abort.signal);
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

  // ---- what a blocking call asks ----

  canUnblock(): Promise<boolean> {
    // No client has the ID 0: the answer says only whether the command is allowed.
    this.#mayUnblock ??= this.#host.call('CLIENT', 'UNBLOCK', '0').then(
      () => true,
      () => false,
    );
    return this.#mayUnblock;
  }

  async unblock(clientId: number): Promise<boolean> {
    return (await this.#host.call('CLIENT', 'UNBLOCK', `${clientId}`)) === 1;
  }

  timeoutError(command: PoolCommand, timeoutMs: number): Error {
    const reason = `got no reply to ${command.profile.name.toUpperCase()} within ${timeoutMs} ms (its own timeout and commandTimeoutMs)`;
    return this.#host.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted: true });
  }

  async #wait({ signal, timeoutMs }: AcquireOptions, holder: Holder | undefined): Promise<LeaseSlot> {
    if (this.#pool.isFull) throw this.#fullError();
    this.#refuseDeadlock(holder);
    this.#host.start();
    const limitMs = timeoutMs ?? this.#host.options.acquireTimeoutMs;
    const stopWaiting = holder?.startWaiting();
    try {
      return await this.#pool.wait({
        timeoutMs: limitMs,
        signal,
        onTimeout: () => this.#timeoutError(limitMs),
      });
    } finally {
      stopWaiting?.();
    }
  }

  /** A caller that holds a lease waits for another while every lease there can be is held by callers that wait. */
  #refuseDeadlock(holder: Holder | undefined): void {
    const holding = holder?.holding();
    const { idle, creating, leased } = this.#pool.counts;
    const { used, max } = this.#host.budget;
    if (holder === undefined || holding === undefined || idle + creating > 0 || used < max) return;
    const stuck = [...this.#owners.values()].filter(
      (owner) => owner?.isWaiting || (owner && holder.contains(owner)),
    );
    if (stuck.length < leased) return;
    const reason =
      `would wait for ever: this caller holds a lease, and all ${leased} leases are held by callers that wait for ` +
      `another. Raise maxConnections (${max}), or acquire once.\nHeld since: ${placeOf(holding.place)}\nWanted: ${placeOf(new Error())}`;
    throw this.#host.error('RP_ERR_LEASE_DEADLOCK', reason);
  }

  #report(heldMs: number, place: Error): void {
    const { logger, name } = this.#host.options;
    const fields = { pool: name, heldMs: Math.round(heldMs), acquiredAt: placeOf(place) };
    this.#host.counters.longLeases += 1;
    logger.warn(
      fields,
      `A lease of Redis pool "${name}" is held for ${fields.heldMs} ms (leaseReportMs): is it released?`,
    );
  }

  #fullError(): RedisPoolError {
    const reason = `lets no more callers wait for a lease: maxWaiting ${this.#host.options.maxWaiting} is reached (${this.#state()})`;
    return this.#host.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }

  #timeoutError(limitMs: number): RedisPoolError {
    const cause = this.#pool.lastError ?? this.#host.lastDialError;
    const reason = `had no lease to give within ${limitMs} ms (acquireTimeoutMs): ${this.#state()}`;
    return this.#host.error('RP_ERR_ACQUIRE_TIMEOUT', reason, {
      ...(cause === undefined ? {} : { cause }),
      maybeExecuted: false,
    });
  }

  #state(): string {
    const { leased, idle, creating, waiting } = this.#pool.counts;
    const { used, max } = this.#host.budget;
    return `${leased} leased, ${idle} idle, ${creating} connecting, ${waiting} waiting; ${used} of maxConnections ${max} in use`;
  }
}

/** Resolves when the command is settled, whatever it comes to. */
function sendAndSettle(
  lease: LeaseConnection,
  command: PoolCommand,
  timeoutMs: number | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const { onFulfilled, onRejected } = command;
    command.onFulfilled = (value) => {
      onFulfilled(value);
      resolve();
    };
    command.onRejected = (error) => {
      onRejected(error);
      resolve();
    };
    lease.send(command, timeoutMs);
  });
}

/** The waits of a chain come one after another; one without an end leaves the chain without one. */
function chainTimeoutMs(commands: readonly PoolCommand[], commandTimeoutMs: number): number | undefined {
  let sumMs = commandTimeoutMs;
  for (const command of commands) {
    const waits = !command.inTransaction && classify(command.profile, command.args) === 'blocking';
    const ownMs = waits ? blockingTimeoutMs(command) : undefined;
    if (ownMs === 0) return undefined;
    sumMs += ownMs ?? 0;
  }
  return sumMs;
}

/** A user who may not ask gets its blocking commands in slices instead. */
async function clientIdOf(connection: Connection): Promise<number | undefined> {
  const id: unknown = await connection.redis.client('ID').catch(() => undefined);
  return typeof id === 'number' ? id : undefined;
}

/** The frames of the application, without those of this package. */
function placeOf(error: Error | undefined): string {
  const own = import.meta.url.slice(0, import.meta.url.lastIndexOf('/') + 1);
  const frames = error?.stack?.split('\n').slice(1) ?? [];
  return (
    frames
      .filter((frame) => !frame.includes(own))
      .slice(0, 6)
      .join('\n') || 'an unknown place'
  );
}
