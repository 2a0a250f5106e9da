import { inspect } from 'node:util';
import type { Redis, RedisOptions } from 'ioredis';
import { RedisClient } from './client.js';
import { cutAndClose, type DrainReport, drainAndClose, NOTHING_CUT } from './close.js';
import type { PoolCommands } from './commands/command-types.js';
import { RedisPoolError } from './errors/errors.js';
import type { Health, HealthOptions } from './health.js';
import { checkClose } from './leases/lease-arguments.js';
import type { RedisPoolOptions, ScriptDefinition } from './options/options.js';
import { parseOptions } from './options/parse-options.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { PoolEngine, PoolStatus } from './pool-engine.js';
import { type ReadyOptions, waitUntilReady } from './readiness.js';
import { joinEngine, joinRunningEngine, leaveEngine } from './registry.js';
import type { BoundedAction, Bounds } from './scope/bounds.js';
import { RequestRedis } from './scope/request-redis.js';
import type { ScopeOptions } from './scope/scope-options.js';
import type { PoolStats } from './stats.js';

/** Changes of a pool's state: first connection, every lane down, a lane up again, closed. */
export type PoolEvent = 'ready' | 'degraded' | 'restored' | 'close';

/** Options of a pool that say how long something may take, ms. */
export type PoolLimits = Readonly<
  Pick<ResolvedOptions, 'connectTimeoutMs' | 'commandTimeoutMs' | 'acquireTimeoutMs' | 'closeTimeoutMs'>
>;

// Every command of ioredis that may run on a shared connection.
export interface RedisPool extends PoolCommands {}

/**
 * What an application holds: a light handle on the one engine of its name in this process.
 *
 * Ordinary commands share one connection. Nothing is opened before the first command or `ready()`. Made by
 * {@link createRedisPool} and {@link getRedisPool}.
 */
export class RedisPool extends RedisClient {
  readonly #unfollow: () => void;
  /** Whether it holds the engine, gave it back to the other handles, or was the last one and ends it. */
  #hold: 'held' | 'left' | 'ended' = 'held';
  #closing: Promise<DrainReport> | undefined;
  /** Ends what waits through this handle: parked blocking commands and subscriptions. */
  readonly #waits = new AbortController();

  /** @internal */
  constructor(engine: PoolEngine) {
    super(engine);
    this.#unfollow = engine.scripts.follow((name, script) => this.addScript(name, script));
  }

  /** Name of the pool in this process, and prefix of its connections in CLIENT LIST. */
  get name(): string {
    return this.engine.options.name;
  }

  /** State of the engine; `closed` also when only this handle is. */
  get status(): PoolStatus {
    return this.#hold === 'left' ? 'closed' : this.engine.status;
  }

  /**
   * Resolves when a connection is up; at once when one is. Idempotent.
   *
   * @throws RedisPoolError `RP_ERR_AUTH` or `RP_ERR_CONNECT` at once for a refused password or certificate,
   * `RP_ERR_CONNECT` or `RP_ERR_CONNECT_TIMEOUT` at the limit with the last failure as cause, `RP_ERR_CLOSING`,
   * `RP_ERR_CLOSED`; the reason of `signal`. The pool goes on connecting whatever this rejects with.
   */
  ready(options: ReadyOptions = {}): Promise<void> {
    const refusal = this.refusal();
    return refusal === undefined ? waitUntilReady(this.engine, options) : Promise.reject(refusal);
  }

  /** A view of the pool for one caller, such as a request; see {@link RequestRedis}. */
  scope(options: ScopeOptions = {}): RequestRedis {
    const parent = { refusal: () => this.refusal(), waits: this.#waits.signal };
    return new RequestRedis(this.engine, parent, options);
  }

  /**
   * Makes a Lua script a command of this pool and its pipelines, on every connection, present and future.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` when the name is taken by a command or a method.
   */
  defineCommand(name: string, definition: ScriptDefinition): void {
    if (name in RedisPool.prototype) {
      throw new RedisPoolError('RP_ERR_INVALID_OPTION', `The name "${name}" is a method of the pool already`);
    }
    this.engine.scripts.define(name, definition);
  }

  /**
   * A real ioredis instance for a library that insists on one, such as a job queue. It counts as a connection, is
   * named `<pool>:<label>:<pid>`, waits through outages (`maxRetriesPerRequest: null`), has no key prefix, and is
   * closed with the pool; so are its `duplicate()`s.
   *
   * @throws RedisPoolError `RP_ERR_QUEUE_FULL` when `maxConnections` is reached, `RP_ERR_CLOSING`, `RP_ERR_CLOSED`
   */
  dedicated(label: string, overrides: RedisOptions = {}): Redis {
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(label)) {
      const rule = '1 to 64 of A-Z a-z 0-9 _ . -';
      throw new RedisPoolError('RP_ERR_INVALID_OPTION', `The label of a dedicated client must be ${rule}`);
    }
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    return this.engine.dedicated.open(label, overrides);
  }

  /**
   * Whether the server answers now: one PING, shared by all who ask at once, over a connection that is there anyway.
   * Opens nothing and settles by `timeoutMs` (ms, from 1; default 1_000); never rejects. A pool that is closing is not
   * `ok`, whatever its server answers.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` for a `timeoutMs` that is none, synchronously
   */
  health(options: HealthOptions = {}): Promise<Health> {
    const error = this.refusal();
    return this.engine.health.check(
      options,
      error === undefined ? undefined : { status: this.status, error },
    );
  }

  /** The limits that this pool runs with: as given, or their defaults. */
  get limits(): PoolLimits {
    const { connectTimeoutMs, commandTimeoutMs, acquireTimeoutMs, closeTimeoutMs } = this.engine.options;
    return { connectTimeoutMs, commandTimeoutMs, acquireTimeoutMs, closeTimeoutMs };
  }

  /** A fresh snapshot; costs microseconds. */
  stats(): PoolStats {
    return this.engine.stats();
  }

  on(event: PoolEvent, listener: () => void): this {
    this.engine.events.on(event, listener);
    return this;
  }

  off(event: PoolEvent, listener: () => void): this {
    this.engine.events.off(event, listener);
    return this;
  }

  /**
   * The first step of an orderly end, where requests are to finish before `close()`: ends what waits through this
   * handle and its scopes for something that may never come. Parked blocking commands reject with `RP_ERR_CLOSING`
   * and lose no element, subscriptions are done, new ones of both are refused; other commands go on. Idempotent.
   */
  endWaits(): void {
    if (!this.#waits.signal.aborted) this.#waits.abort(this.#closingError());
  }

  /**
   * Closes this handle. The last one drains the engine: no new work, what runs finishes, then the connections
   * close, all within `timeoutMs` (ms, from 0). Idempotent; never rejects.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` for a `timeoutMs` that is none, synchronously
   */
  close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<DrainReport> {
    const { timeoutMs = this.engine.options.closeTimeoutMs } = options;
    checkClose(timeoutMs);
    const isLast = this.#leave();
    this.#closing ??= isLast ? drainAndClose(this.engine, timeoutMs) : Promise.resolve(NOTHING_CUT);
    return this.#closing;
  }

  /** Closes this handle at once; the last one cuts what runs, which rejects with `error` or `RP_ERR_CLOSED`. */
  destroy(error?: Error): void {
    const isLast = this.#leave();
    if (isLast && this.engine.status === 'closed') return;
    if (isLast && this.#closing !== undefined) {
      // It is the close() that reports.
      void this.engine.shut(0, error);
      return;
    }
    const closed = isLast ? cutAndClose(this.engine, error) : Promise.resolve(NOTHING_CUT);
    this.#closing ??= closed;
  }

  [inspect.custom](): string {
    return `RedisPool { name: '${this.name}', status: '${this.status}' }`;
  }

  protected override refusal(): Error | undefined {
    if (this.#hold === 'held') return undefined;
    if (this.#hold === 'ended') return this.engine.refusalAtEnd();
    return this.engine.error('RP_ERR_CLOSED', 'was closed through this handle', { maybeExecuted: false });
  }

  protected override refusalToWait(): unknown {
    const { aborted } = this.#waits.signal;
    return this.refusal() ?? (aborted ? this.#closingError() : undefined);
  }

  protected override bounded<T>(action: BoundedAction<T>, { kind, signal }: Bounds): Promise<T> {
    return action(kind === 'parked' ? this.#waits.signal : signal);
  }

  protected override lifetimes(): readonly AbortSignal[] {
    return [this.#waits.signal];
  }

  #closingError(): Error {
    return this.engine.error('RP_ERR_CLOSING', 'is closing', { maybeExecuted: false });
  }

  /** Gives the engine back, once. `true`: this handle was the last one, and ends it. */
  #leave(): boolean {
    if (this.#hold === 'held') {
      this.#unfollow();
      this.#hold = leaveEngine(this.engine) ? 'ended' : 'left';
      // The last handle takes everything with it in its own order.
      if (this.#hold === 'left') this.#waits.abort(this.refusal());
    }
    return this.#hold === 'ended';
  }
}

/**
 * Joins the pool of that name in this process, or starts it.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, `RP_ERR_POOL_CONFLICT`; both synchronously.
 * @example
 * ```ts
 * const pool = createRedisPool({ url: 'redis://127.0.0.1:6379' });
 * await pool.set('greeting', 'hello');
 * await pool.close();
 * ```
 */
export function createRedisPool(options?: string | RedisPoolOptions): RedisPool {
  const resolved = parseOptions(options);
  return new RedisPool(joinEngine(resolved));
}

/**
 * Another handle on a running pool; it has to be closed like any other.
 *
 * @throws RedisPoolError `RP_ERR_UNKNOWN_POOL`
 */
export function getRedisPool(name = 'default'): RedisPool {
  return new RedisPool(joinRunningEngine(name));
}
