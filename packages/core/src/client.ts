import { CommandClient } from './command-client.js';
import { Place } from './errors/place.js';
import {
  type DurableFunction,
  type DurableOptions,
  type DurableResult,
  runDurably,
} from './leases/durable-writes.js';
import { Holder, runInside } from './leases/holder.js';
import { RedisLease } from './leases/lease.js';
import { checkAcquire, checkDurability, checkTransaction } from './leases/lease-arguments.js';
import type { AcquireOptions } from './leases/leases.js';
import { runTransaction, type TransactionFunction, type TransactionOptions } from './leases/transaction.js';
import { sleep } from './on-abort.js';
import type { AcquiredLease } from './pool-engine.js';
import type { MessageEncoding, MessageListener } from './subscriber/message.js';
import type { SubscribeKind, SubscribeOptions } from './subscriber/subscribe-request.js';
import type { Subscription } from './subscriber/subscription.js';

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

/** What the pool and a scope have in common: commands, and what has a connection of its own. */
export abstract class RedisClient extends CommandClient {
  /** Called with each lease; `_place` where it was acquired to be released by hand. */
  protected leased(_lease: RedisLease, _place: Place | undefined): void {}

  /** Called with each lease that is given back. */
  protected released(_lease: RedisLease): void {}

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
    const place = this.engine.placeOfKeys(keysOf(options));
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
    const place = this.engine.placeOfKeys(keysOf(options));
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
    const place = this.engine.placeOfKeys(keys);
    const pause = (ms: number): Promise<void> =>
      this.bounded((signal) => sleep(ms, signal), { kind: 'queued', waitsFor: 'serverMs' });
    const attempt = (): Promise<unknown[]> =>
      this.#lease(
        (lease) => runTransaction(this.engine, lease, keys, fn, { ...options, pause }),
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
    const place = this.engine.placeOfKeys(keysOf(options));
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
        const pause = this.engine.follow(error, times);
        if (pause === undefined) throw error;
        await this.bounded(pause, { kind: 'queued', waitsFor: 'serverMs' });
      }
    }
  }

  async #acquire(options: AcquireOptions, acquirer: Acquirer): Promise<RedisLease> {
    checkAcquire(options);
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    options.signal?.throwIfAborted();
    const { asking, holder, above } = acquirer;
    const place = this.engine.options.leaseReportMs === 0 ? Place.unknown : new Place(above);
    const { engine, slot } =
      this.engine.acquireNow(acquirer.place) ?? (await this.#waitForLease(options, acquirer));
    engine.leases.setTenant(slot, holder ?? 'someone', place);
    const owner = holder ?? asking;
    if (owner !== undefined) owner.place = place;
    const lease = new RedisLease(engine, {
      slot,
      holder: owner,
      limited: (commands, action) => this.runParked(commands, action),
      onReleased: (released) => this.released(released),
    });
    this.leased(lease, holder === undefined ? place : undefined);
    return lease;
  }

  #waitForLease(options: AcquireOptions, { place, asking }: Acquirer): Promise<AcquiredLease> {
    const acquire = (signal: AbortSignal | undefined): Promise<AcquiredLease> =>
      this.engine.acquire(place, { ...options, signal }, asking);
    return this.bounded(acquire, { kind: 'queued', waitsFor: 'leaseMs', signal: options.signal });
  }

  #subscribe<E extends MessageEncoding>(
    kind: SubscribeKind,
    channels: string | readonly string[],
    listener: MessageListener<E> | undefined,
    options: SubscribeOptions<E> | undefined,
  ): Promise<Subscription<E>> {
    const refusal = this.refusalToWait();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.engine.subscriber.subscribe(kind, channels, listener, options, this.lifetimes());
  }
}

function keysOf({ key }: { readonly key?: string | Buffer | undefined }): readonly (string | Buffer)[] {
  return key === undefined ? [] : [key];
}
