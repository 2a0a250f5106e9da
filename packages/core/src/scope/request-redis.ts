import { inspect } from 'node:util';
import { RedisClient } from '../client.js';
import type { PoolCommand } from '../commands/command.js';
import type { PoolCommands } from '../commands/command-types.js';
import { AbortError, CLIENT_CLOSED_REQUEST } from '../errors/abort-error.js';
import type { Place } from '../errors/place.js';
import { currentHolder, Holder } from '../leases/holder.js';
import type { RedisLease } from '../leases/lease.js';
import type { PoolEngine } from '../pool-engine.js';
import type { BoundedAction, Bounds } from './bounds.js';
import { EndReason } from './end-reason.js';
import { ScopeLimit } from './scope-limit.js';
import { checkScopeOptions, type ScopeEnd, type ScopeOptions, type ScopeUsage } from './scope-options.js';

/** The handle that a scope was made of. */
interface ScopeParent {
  refusal(): unknown;
  /** Ends what waits: parked commands and subscriptions. */
  readonly waits: AbortSignal;
}

const FORGOTTEN_LEASE_MS = 1_000;

// Every command of ioredis that may run on a shared connection.
export interface RequestRedis extends PoolCommands {}

/**
 * The view of the pool that one caller has, such as a request: `req.redis`. The same commands as the pool; they
 * reach the server in the order of the calls and end with the scope's signal and deadline.
 */
export class RequestRedis extends RedisClient implements Disposable {
  readonly #label: () => string;
  readonly #parent: ScopeParent;
  readonly #limit: ScopeLimit;
  readonly #signal: AbortSignal | undefined;
  readonly #forgottenLeaseMs: number;
  readonly #holder = new Holder(undefined);
  /** Leases that it acquired and holds. */
  readonly #held = new Map<RedisLease, Place>();
  /** Ends its subscriptions. Made with the first of them. */
  #subscriptions: AbortController | undefined;
  #isOver = false;
  #isClosed = false;
  #commands = 0;
  #leases = 0;

  /** @internal */
  constructor(engine: PoolEngine, parent: ScopeParent, options: ScopeOptions) {
    checkScopeOptions(options);
    super(engine);
    const { signal, timeoutMs, label = 'a scope', onHangUp = 'finish', timed = false } = options;
    this.#label = typeof label === 'string' ? () => label : label;
    this.#parent = parent;
    this.#signal = signal;
    this.#forgottenLeaseMs = options.forgottenLeaseMs ?? FORGOTTEN_LEASE_MS;
    const { waits } = parent;
    this.#limit = new ScopeLimit(engine, { label: this.#label, signal, timeoutMs, onHangUp, timed, waits });
  }

  /** Whose scope it is. */
  get label(): string {
    return this.#label();
  }

  /** What it has used so far. */
  usage(): ScopeUsage {
    return { commands: this.#commands, leases: this.#leases, waitedMs: this.#limit.waitedMs };
  }

  /**
   * To be called when whoever it was made for is done, such as when a response has closed. What would wait for
   * nobody is cut, now and from now on: parked blocking commands reject with an `AbortError` and lose no element,
   * subscriptions end. Ordinary commands go on, unless the client hung up and `onHangUp` is `abort`. Leases that were
   * acquired and not released come back once they are unused for `forgottenLeaseMs`. Idempotent.
   */
  end(how: ScopeEnd = {}): void {
    const isFirst = !this.#isOver;
    this.#isOver = true;
    if (isFirst && how.hungUp) this.engine.counters.hangUps += 1;
    this.#cutWaits(how, () => this.#endError(how));
    for (const [lease, place] of this.#held) this.#watchLease(lease, place);
  }

  /**
   * Cuts what waits at the server, now and from now on: parked blocking commands reject with `reason` and lose no
   * element, subscriptions end. Everything else goes on. Idempotent.
   */
  endWaits(reason: unknown = new AbortError(`${this.label} waits no longer`)): void {
    this.#cutWaits({}, () => reason);
  }

  [Symbol.dispose](): void {
    this.end();
  }

  /** Ends this scope, and nothing else: later commands reject with `RP_ERR_CLOSED`. The pool goes on. */
  disconnect(): void {
    this.end();
    this.#isClosed = true;
  }

  /** As `disconnect()`; commands that run are answered. */
  quit(): Promise<'OK'> {
    this.disconnect();
    return Promise.resolve('OK');
  }

  [inspect.custom](): string {
    return `RequestRedis { label: '${this.label}' }`;
  }

  protected override refusal(): unknown {
    return this.#parent.refusal() ?? this.#ownRefusal() ?? this.#limit.refusal();
  }

  protected override refusalToWait(): unknown {
    return this.refusal() ?? this.#limit.refusalToWait();
  }

  protected override accepted(command: PoolCommand): void {
    this.#commands += 1;
    this.#limit.track(command);
  }

  protected override leased(lease: RedisLease, place: Place | undefined): void {
    this.#leases += 1;
    if (place === undefined) return;
    this.#held.set(lease, place);
    if (this.#isOver) this.#watchLease(lease, place);
  }

  protected override released(lease: RedisLease): void {
    if (this.#held.delete(lease)) lease.unwatchForgotten();
  }

  protected override parked(commands: number): void {
    this.#commands += commands;
  }

  protected override bounded<T>(action: BoundedAction<T>, bounds: Bounds): Promise<T> {
    return this.#limit.run(action, bounds);
  }

  protected override lifetimes(): readonly AbortSignal[] {
    this.#subscriptions ??= new AbortController();
    const own = [this.#subscriptions.signal, this.#parent.waits];
    return this.#signal === undefined ? own : [this.#signal, ...own];
  }

  // Inside a function given to lease() it is that function, otherwise the scope itself.
  protected override holder(): Holder {
    return currentHolder() ?? this.#holder;
  }

  #cutWaits(how: ScopeEnd, makeReason: () => unknown): void {
    const reason = new EndReason(makeReason);
    this.#limit.end(how, reason);
    this.#subscriptions?.abort(reason.value);
  }

  #endError({ hungUp }: ScopeEnd): AbortError {
    const client = `The client of ${this.label}`;
    if (hungUp) return new AbortError(`${client} hung up`, CLIENT_CLOSED_REQUEST);
    return new AbortError(`${client} has its response`);
  }

  #ownRefusal(): unknown {
    if (!this.#isClosed) return undefined;
    return this.engine.error('RP_ERR_CLOSED', 'was closed through this scope', { maybeExecuted: false });
  }

  #watchLease(lease: RedisLease, place: Place): void {
    const afterMs = this.#forgottenLeaseMs;
    lease.watchForgotten({ label: this.label, afterMs, place });
  }
}
