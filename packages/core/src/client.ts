import { tell } from './commands/callbacks.js';
import type { PoolCommand } from './commands/command.js';
import type { RedisPipeline } from './commands/command-types.js';
import { checkBeginning, MultiChain, PipelineChain, type PipelineHost } from './commands/pipeline.js';
import { PlaceScan } from './commands/place-scan.js';
import { ReplicaCommands } from './commands/replica-commands.js';
import { type CommandClass, classify } from './commands/routing.js';
import { ScanFacade } from './commands/scan-facade.js';
import { RedisPoolError } from './errors/errors.js';
import { Place } from './errors/place.js';
import { statefulCommandError } from './errors/refusal.js';
import { Affinity } from './lanes/affinity.js';
import {
  type DurableFunction,
  type DurableOptions,
  type DurableResult,
  runDurably,
} from './leases/durable-writes.js';
import { currentHolder, Holder, runInside } from './leases/holder.js';
import { RedisLease } from './leases/lease.js';
import { checkAcquire, checkDurability, checkTransaction } from './leases/lease-arguments.js';
import type { AcquireOptions } from './leases/leases.js';
import { runTransaction, type TransactionFunction, type TransactionOptions } from './leases/transaction.js';
import { sleep, unlessAborted } from './on-abort.js';
import type { AcquiredLease, PoolEngine } from './pool-engine.js';
import type { BoundedAction, Bounds } from './scope/bounds.js';
import type { MessageEncoding, MessageListener } from './subscriber/message.js';
import type { SubscribeKind, SubscribeOptions } from './subscriber/subscribe-request.js';
import type { Subscription } from './subscriber/subscription.js';

type Batch = readonly (readonly [command: string, ...args: unknown[]])[];

/** What `multi()` of ioredis takes. `false` would send MULTI alone, which only an exclusive connection may. */
interface ChainOptions {
  readonly pipeline?: true;
}

interface Acquirer {
  /** Where the keys are that the lease is for. */
  readonly place: number;
  /** Who waits, where known. */
  readonly asking: Holder | undefined;
  /** Whose lease it will be, to the end of its function; without one anybody may give it back at any moment. */
  readonly holder: Holder | undefined;
  /** The method that the application called. */
  readonly above: (...args: never[]) => unknown;
}

/** What the pool and a scope have in common: commands over the lanes, chains and scan streams. */
export abstract class RedisClient extends ScanFacade {
  protected readonly keyPrefix: string | undefined;
  readonly #engine: PoolEngine;
  readonly #affinity: Affinity | undefined;

  protected constructor(engine: PoolEngine) {
    super();
    this.#engine = engine;
    this.keyPrefix = engine.options.redis.keyPrefix || undefined;
    this.#affinity = engine.options.lanes > 1 ? new Affinity() : undefined;
    engine.scripts.each((name, script) => this.addScript(name, script));
  }

  /** Behind a getter: what is printed or serialised of this object shows nothing of the inside. */
  protected get engine(): PoolEngine {
    return this.#engine;
  }

  /** What a command that may not start now is rejected with, if so. */
  protected abstract refusal(): unknown;

  /** Called with each command that goes to a lane. */
  protected accepted(_command: PoolCommand): void {}

  /** Called with the number of commands that wait at the server, or go with one that does. */
  protected parked(_commands: number): void {}

  /** What a command that would wait at the server, or a subscription, is rejected with, if so. */
  protected abstract refusalToWait(): unknown;

  /** Runs what ends itself by a signal, within the bounds of this object. */
  protected abstract bounded<T>(action: BoundedAction<T>, bounds: Bounds): Promise<T>;

  /** Called with each lease; `_place` where it was acquired to be released by hand. */
  protected leased(_lease: RedisLease, _place: Place | undefined): void {}

  /** Called with each lease that is given back. */
  protected released(_lease: RedisLease): void {}

  /** Who waits, where this object knows it better than the asynchronous context. */
  protected holder(): Holder | undefined {
    return currentHolder();
  }

  /**
   * Runs `fn` with a connection of its own, and gives it back when `fn` is done, whatever it comes to.
   *
   * @throws RedisPoolError `RP_ERR_ACQUIRE_TIMEOUT`, `RP_ERR_QUEUE_FULL`, `RP_ERR_LEASE_DEADLOCK` (a lease inside a
   * lease while no further one can come free), `RP_ERR_CLOSING`, `RP_ERR_CLOSED`; what `fn` throws.
   * @example
   * ```ts
   * const job = await pool.lease((lease) => lease.blmove('jobs', 'running', 'LEFT', 'RIGHT', 0));
   * ```
   */
  lease<T>(fn: (lease: RedisLease) => Promise<T> | T, options: AcquireOptions = {}): Promise<T> {
    const place = this.#engine.placeOfKeys(keysOf(options));
    return this.#lease(fn, options, { place, above: this.lease });
  }

  /**
   * A connection of one's own, to be given back with `release()` or by `await using`.
   *
   * Whoever holds one may give it back at any moment, as far as the pool can know: a caller that waits for what it
   * acquired itself is not refused as in `lease()`, but ends at `acquireTimeoutMs` with an error that says so.
   *
   * @throws RedisPoolError as `lease()`.
   */
  acquire(options: AcquireOptions = {}): Promise<RedisLease> {
    const place = this.#engine.placeOfKeys(keysOf(options));
    const asking = this.holder();
    return this.#acquire(options, { place, asking, holder: undefined, above: this.acquire });
  }

  /**
   * A transaction that reads before it writes: the keys are watched, `fn` reads through `read` and queues through
   * `queue`, and when a key changed meanwhile everything is done again. Resolves with the replies of what was
   * queued. `fn` may run several times.
   *
   * @throws RedisPoolError `RP_ERR_CONFLICT` when a key changed at every attempt (`retries`, default 20) or the
   * deadline of one command passed; as `lease()`; what `fn` throws, with nothing written.
   * @example
   * ```ts
   * await pool.transaction(['stock'], async (read, queue) => {
   *   if (Number(await read.get('stock')) < 1) throw new Error('Sold out');
   *   queue.decr('stock');
   * });
   * ```
   */
  transaction(
    keys: readonly (string | Buffer)[],
    fn: TransactionFunction,
    options: TransactionOptions = {},
  ): Promise<unknown[]> {
    checkTransaction(keys, options);
    const place = this.#engine.placeOfKeys(keys);
    const pause = (ms: number): Promise<void> =>
      this.bounded((signal) => sleep(ms, signal), { kind: 'queued', waitsFor: 'serverMs' });
    const attempt = (): Promise<unknown[]> =>
      this.#lease(
        (lease) => runTransaction(this.#engine, lease, keys, fn, { ...options, pause }),
        {},
        { place, above: this.transaction },
      );
    return this.#followed(attempt);
  }

  /**
   * Writes, and waits on the same connection until replicas have them.
   *
   * @throws RedisPoolError as `lease()`; the first error reply of a write. Too few replicas is no error.
   */
  writeDurably(fn: DurableFunction, options: DurableOptions): Promise<DurableResult> {
    checkDurability(options);
    const place = this.#engine.placeOfKeys(keysOf(options));
    return this.#lease((lease) => runDurably(lease, fn, options), {}, { place, above: this.writeDurably });
  }

  /** What ends the subscriptions of this object besides the pool. */
  protected abstract lifetimes(): readonly AbortSignal[];

  /**
   * Messages of channels, over the one connection that carries every subscription of the process. With a listener
   * it is called for each; without one the subscription is iterated. Resolves when the server has confirmed.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, synchronously. The promise rejects with `RP_ERR_UNAVAILABLE` or
   * `RP_ERR_COMMAND_TIMEOUT` after commandTimeoutMs, `RP_ERR_QUEUE_FULL` at maxConnections, `RP_ERR_CLOSING`,
   * `RP_ERR_CLOSED`; the reason of `signal`; an error reply of the server.
   * @example
   * ```ts
   * const subscription = await pool.subscribe('news', (message) => console.log(message));
   * await subscription.unsubscribe();
   * ```
   */
  subscribe<E extends MessageEncoding = 'utf8'>(
    channels: string | readonly string[],
    listener?: MessageListener<E>,
    options?: SubscribeOptions<E>,
  ): Promise<Subscription<E>> {
    return this.#subscribe('subscribe', channels, listener, options);
  }

  /** As `subscribe()`, for every channel whose name matches a pattern. */
  psubscribe<E extends MessageEncoding = 'utf8'>(
    patterns: string | readonly string[],
    listener?: MessageListener<E>,
    options?: SubscribeOptions<E>,
  ): Promise<Subscription<E>> {
    return this.#subscribe('psubscribe', patterns, listener, options);
  }

  /** As `subscribe()`, for shard channels (SPUBLISH). */
  ssubscribe<E extends MessageEncoding = 'utf8'>(
    channels: string | readonly string[],
    listener?: MessageListener<E>,
    options?: SubscribeOptions<E>,
  ): Promise<Subscription<E>> {
    return this.#subscribe('ssubscribe', channels, listener, options);
  }

  /**
   * The same commands, of which those that only read go to replicas of a cluster: with data that may be old, even older
   * than what the same caller wrote just before. A choice for the calls that can live with that.
   *
   * @example
   * ```ts
   * const page = await pool.replica.get('page:home');
   * ```
   */
  get replica(): ReplicaCommands {
    const { keyPrefix } = this;
    return new ReplicaCommands({
      keyPrefix,
      scripts: this.#engine.scripts,
      execute: (command) => this.execute(command),
    });
  }

  /** Commands that leave in one write, in order; others may come between. See ioredis. */
  pipeline(commands?: Batch): RedisPipeline {
    return new PipelineChain(this.#pipelineHost(), commands) as unknown as RedisPipeline;
  }

  /** A MULTI/EXEC transaction in one write. For WATCH use `transaction()`. */
  multi(commands?: Batch | ChainOptions, options?: ChainOptions): RedisPipeline {
    checkBeginning(commands);
    const batch = Array.isArray(commands) ? (commands as Batch) : undefined;
    const chosen = options ?? (batch === undefined ? (commands as ChainOptions | undefined) : undefined);
    if (!(chosen?.pipeline ?? true)) {
      const rule = 'multi() with pipeline: false holds a connection: use pool.lease()';
      throw new RedisPoolError('RP_ERR_STATEFUL_COMMAND', rule, { maybeExecuted: false });
    }
    return new MultiChain(this.#pipelineHost(), batch) as unknown as RedisPipeline;
  }

  protected override scanSource(): object {
    if (!this.#engine.isDivided) return this;
    const places = (): Promise<readonly number[]> => this.#engine.scanPlaces();
    return new PlaceScan({ places, execute: (command) => this.execute(command) });
  }

  protected override execute(command: PoolCommand): Promise<unknown> {
    const commandClass = classify(command.profile, command.args);
    if (commandClass !== 'plain' && !runsOnPool(commandClass))
      throw statefulCommandError(command, commandClass);
    this.#engine.place(command);
    const promise = command.createPromise();
    if (command.callback !== undefined) tell(promise, command.callback);
    if (commandClass === 'plain') this.#send(command);
    else if (commandClass === 'blocking') this.#block([command]);
    else this.#learnThenSend(command);
    return promise;
  }

  async #lease<T>(
    fn: (lease: RedisLease) => Promise<T> | T,
    options: AcquireOptions,
    { place, above }: Pick<Acquirer, 'place' | 'above'>,
  ): Promise<T> {
    const outer = this.holder();
    const holder = new Holder(outer);
    const lease = await this.#acquire(options, { place, asking: outer, holder, above });
    try {
      return await runInside(holder, () => fn(lease));
    } finally {
      await lease.release();
    }
  }

  /** Does it again, elsewhere, as long as servers answer that they ran nothing of it. */
  async #followed<T>(attempt: () => Promise<T>): Promise<T> {
    for (let times = 0; ; times += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!(await this.#engine.follow(error, times))) throw error;
      }
    }
  }

  async #acquire(options: AcquireOptions, acquirer: Acquirer): Promise<RedisLease> {
    checkAcquire(options);
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    options.signal?.throwIfAborted();
    const { asking, holder, above } = acquirer;
    const place = this.#engine.options.leaseReportMs === 0 ? Place.unknown : new Place(above);
    const { engine, slot } =
      this.#engine.acquireNow(acquirer.place) ?? (await this.#waitForLease(options, acquirer));
    engine.leases.setTenant(slot, holder ?? 'someone', place);
    const owner = holder ?? asking;
    if (owner !== undefined) owner.place = place;
    const lease = new RedisLease(engine, {
      slot,
      holder: owner,
      limited: (commands, action) => this.#runParked(commands, action),
      onReleased: (released) => this.released(released),
    });
    this.leased(lease, holder === undefined ? place : undefined);
    return lease;
  }

  #waitForLease(options: AcquireOptions, { place, asking }: Acquirer): Promise<AcquiredLease> {
    const acquire = (signal: AbortSignal | undefined): Promise<AcquiredLease> =>
      this.#engine.acquire(place, { ...options, signal }, asking);
    return this.bounded(acquire, { kind: 'queued', waitsFor: 'leaseMs', signal: options.signal });
  }

  /** Settles blocking commands, whatever comes of them. */
  #runParked(commands: readonly PoolCommand[], action: BoundedAction<void>): void {
    const isSent = (): boolean => commands.some(({ owner, settled }) => owner !== undefined || settled);
    this.bounded(action, { kind: 'parked', waitsFor: 'leaseMs', isSent }).catch((error: unknown) =>
      failAll(commands, error),
    );
  }

  #subscribe<E extends MessageEncoding>(
    kind: SubscribeKind,
    channels: string | readonly string[],
    listener: MessageListener<E> | undefined,
    options: SubscribeOptions<E> | undefined,
  ): Promise<Subscription<E>> {
    const refusal = this.refusalToWait();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#engine.subscriber.subscribe(kind, channels, listener, options, this.lifetimes());
  }

  #block(commands: readonly PoolCommand[]): void {
    const refusal = this.refusalToWait();
    if (refusal !== undefined) {
      failAll(commands, refusal);
      return;
    }
    this.parked(commands.length);
    const holder = this.holder();
    this.#runParked(commands, (signal) => this.#engine.runBlocking(commands, signal, holder));
  }

  #send(command: PoolCommand): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      command.fail(refusal);
      return;
    }
    this.accepted(command);
    this.engine.submit(command, this.#affinity);
  }

  #learnThenSend(command: PoolCommand): void {
    // Without a detour once it is known: commands of one caller keep their order (law 9).
    if (this.#engine.directory.get(command.profile.name) === 'plain') {
      this.#send(command);
      return;
    }
    command.startedAt = performance.now();
    this.bounded((signal) => unlessAborted(signal, this.#learn([command])), ASKING).then(
      (blocks) => (blocks ? this.#block([command]) : this.#send(command)),
      (error: unknown) => command.fail(error),
    );
  }

  /** Asks the server about unknown commands; resolves with whether one of them blocks. */
  async #learn(commands: readonly PoolCommand[]): Promise<boolean> {
    const classes = await Promise.all(
      commands.map(({ profile }) => this.#engine.directory.ask(profile.name)),
    );
    return commands.some((command, index) => classes[index] === 'blocking' && !command.inTransaction);
  }

  #pipelineHost(): PipelineHost {
    return {
      keyPrefix: this.keyPrefix,
      scripts: this.#engine.scripts,
      place: (command) => this.#engine.place(command),
      mayQueue: runsOnPool,
      submitBatch: (commands) => this.#submitBatch(commands),
    };
  }

  /** A chain is judged by its worst member. */
  #submitBatch(commands: readonly PoolCommand[]): void {
    if (
      commands.some(
        (command) => !command.inTransaction && classify(command.profile, command.args) === 'blocking',
      )
    ) {
      this.#block(commands);
      return;
    }
    const { directory } = this.#engine;
    const unknown = commands.filter(({ profile }) => profile.class === 'unknown');
    if (unknown.every(({ profile }) => directory.get(profile.name) === 'plain')) {
      this.#sendBatch(commands);
      return;
    }
    const startedAt = performance.now();
    for (const command of commands) command.startedAt = startedAt;
    this.bounded((signal) => unlessAborted(signal, this.#learn(unknown)), ASKING).then(
      (blocks) => (blocks ? this.#block(commands) : this.#sendBatch(commands)),
      (error: unknown) => failAll(commands, error),
    );
  }

  #sendBatch(commands: readonly PoolCommand[]): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      failAll(commands, refusal);
      return;
    }
    for (const command of commands) this.accepted(command);
    this.#engine.submitBatch(commands, this.#affinity);
  }
}

/** For what the server knows of a command. */
const ASKING: Bounds = { kind: 'queued', waitsFor: 'serverMs' };

function keysOf({ key }: { readonly key?: string | Buffer | undefined }): readonly (string | Buffer)[] {
  return key === undefined ? [] : [key];
}

/** Blocking commands get a connection of their own; unknown ones are asked about first. */
function runsOnPool(commandClass: CommandClass): boolean {
  return commandClass === 'plain' || commandClass === 'blocking' || commandClass === 'unknown';
}

function failAll(commands: readonly PoolCommand[], error: unknown): void {
  for (const command of commands) command.fail(error);
}
