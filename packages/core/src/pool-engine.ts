import type { Redis, RedisOptions } from 'ioredis';
import type { PoolCommand } from './commands/command.js';
import type { CommandDirectory } from './commands/command-directory.js';
import type { ScriptRegistry } from './commands/script-registry.js';
import type { Counters } from './counters.js';
import type { CutList } from './cut-list.js';
import type { Engine } from './engine.js';
import type { EngineEvents } from './engine-events.js';
import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from './errors/errors.js';
import type { HealthCheck } from './health.js';
import type { Affinity } from './lanes/affinity.js';
import type { Holder } from './leases/holder.js';
import type { AcquireOptions, LeaseSlot } from './leases/leases.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { BoundedAction } from './scope/bounds.js';
import type { PoolStats } from './stats.js';
import type { Subscriber } from './subscriber/subscriber.js';
import type { DialError } from './transport/dial.js';
import type { LoopDelay } from './transport/loop-delay.js';

/**
 * - `connecting`: no connection yet.
 * - `ready`: at least one lane is up; of a cluster, one to each master.
 * - `degraded`: every lane is down after one was up, of a cluster those to one master or more; commands that need them
 *   wait for their deadline.
 * - `draining`: the last handle is closing; running work finishes, new work is refused.
 * - `closed`
 */
export type PoolStatus = 'connecting' | 'ready' | 'degraded' | 'draining' | 'closed';

/** A connection of a lease, and the engine that it is of. */
export interface AcquiredLease {
  readonly engine: Engine;
  readonly slot: LeaseSlot;
}

/**
 * What the handles of a pool talk to: the one server, or the nodes of a cluster. A place says where keys are; only a
 * cluster has more than one.
 */
export interface PoolEngine {
  readonly options: ResolvedOptions;
  readonly counters: Counters;
  readonly scripts: ScriptRegistry;
  readonly directory: CommandDirectory;
  readonly subscriber: Subscriber;
  readonly dedicated: { open(label: string, overrides: RedisOptions): Redis };
  readonly health: HealthCheck;
  readonly events: EngineEvents;
  readonly delay: LoopDelay;
  readonly status: PoolStatus;
  readonly isUp: boolean;
  /** Accepted for the lanes, and somebody still waits for them. */
  readonly awaitedCommands: number;
  /** What the end of the engine cut. */
  readonly cuts: CutList;
  /** Of the last attempt to connect, until one succeeds. */
  readonly lastDialError: DialError | undefined;
  readonly connectAttempts: number;

  /** Starts to connect, unless it did already; a pool opens nothing before its first use. */
  start(): void;
  /**
   * To be called with each command before anything is done with it.
   *
   * @throws RedisPoolError `RP_ERR_CROSS_SLOT` when no single server has all its keys
   */
  place(command: PoolCommand): void;
  /**
   * The place of keys, as the caller names them.
   *
   * @throws RedisPoolError `RP_ERR_CROSS_SLOT` when no single server has all of them, `RP_ERR_INVALID_OPTION` when there
   * is none and one is needed
   */
  placeOfKeys(keys: readonly (string | Buffer)[]): number;
  /** Whether its keys are on several servers. */
  readonly isDivided: boolean;
  /** One place of each server that has keys of its own. */
  scanPlaces(): Promise<ReadonlyMap<string, number>>;
  /** Takes a plain command, whose promise or listener is in place. It is settled by its deadline (law 3). */
  submit(command: PoolCommand, affinity: Affinity | undefined): void;
  /** Takes commands that leave in one piece, or are refused together. */
  submitBatch(commands: readonly PoolCommand[], affinity: Affinity | undefined): void;
  /** Runs commands that wait at the server, and settles them. */
  runBlocking(
    commands: readonly PoolCommand[],
    signal: AbortSignal | undefined,
    holder: Holder | undefined,
  ): Promise<void>;
  /** A connection that can be had without waiting for anything. */
  acquireNow(place: number): AcquiredLease | undefined;
  acquire(place: number, options: AcquireOptions, asking: Holder | undefined): Promise<AcquiredLease>;
  /**
   * For an error that says that nothing was run and the same may succeed elsewhere: the wait until it may. `times`: how
   * often it was so before.
   */
  follow(error: unknown, times: number): BoundedAction<void> | undefined;
  /** A command of the pool's own to every server that is connected. */
  call(name: string, ...args: string[]): Promise<unknown>;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
  /** What is told to who comes after the end began. */
  refusalAtEnd(): RedisPoolError;
  /** Refuses new work and resolves when nobody waits for anything any more, at the latest after `limitMs`. */
  drain(limitMs: number): Promise<void>;
  /** Closes the connections, with QUIT for at most `quitLimitMs` each, and fails what still waits. */
  shut(quitLimitMs: number, error?: unknown): Promise<void>;
  stats(): PoolStats;
}
