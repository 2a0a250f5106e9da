import { type DrainReport, sumOfReports } from '../close.js';
import { RedisPoolError } from '../errors/errors.js';
import { checkClose } from '../leases/lease-arguments.js';
import { invalidOption } from '../options/option-rules.js';
import { RedisPool } from '../pool.js';
import { RequestRedis } from '../scope/request-redis.js';
import { ActiveRequests } from './active-requests.js';
import type { Exchange } from './exchange.js';
import { PoolEnd } from './pool-end.js';
import type { PoolSource } from './pool-source.js';
import { RequestPools } from './request-pools.js';

/** The pools of one application, or of one encapsulated part of it, as its requests see them. */
export class MountedPools {
  readonly #requests = new ActiveRequests();
  readonly #named = new Map<string, PoolSource>();
  #main: PoolSource | undefined;
  #isTimed = false;
  readonly #ends = new Map<PoolSource, PoolEnd>();
  #closing: Promise<DrainReport> | undefined;

  /** The pool without a namespace. */
  get main(): RedisPool | undefined {
    return this.#main?.pool;
  }

  get namespaces(): Iterable<string> {
    return this.#named.keys();
  }

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION` when something of that name is there. `adapter`: who says so */
  checkFree(namespace: string | undefined, adapter: string): void {
    if (namespace === undefined) {
      if (this.#main !== undefined) throw invalidOption(`${adapter} has already been registered`);
      return;
    }
    if (this.#named.has(namespace)) {
      throw invalidOption(`Redis '${namespace}' instance namespace has already been registered`);
    }
    checkMember(namespace, this.#main?.pool);
  }

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION` when it is the pool that others are members of, and has such a member */
  add(source: PoolSource): void {
    if (source.namespace === undefined) {
      for (const namespace of this.#named.keys()) checkMember(namespace, source.pool);
      this.#main = source;
    } else this.#named.set(source.namespace, source);
    this.#isTimed ||= source.requests.serverTiming === true;
  }

  /** To be called at the first use of Redis by a request. */
  enter(exchange: Exchange): RequestPools {
    const request = new RequestPools(exchange, this.#main, this.#named);
    this.#requests.enter(request, exchange);
    return request;
  }

  /** Whether one of them wants a `Server-Timing` header. */
  get isTimed(): boolean {
    return this.#isTimed;
  }

  /**
   * To be called when the application begins to close, before its requests have finished: ends what waits for
   * something that may never come, parked blocking commands and subscriptions, so that they can. The time to close
   * runs from here: `timeoutMs`, or the closeTimeoutMs of each pool. Before it is over the adapter's own handles
   * close by themselves, and whoever still waits for them gets an error. Idempotent.
   */
  endWaits(timeoutMs?: number): void {
    this.#requests.endWaits(closingError);
    for (const source of this.#sources()) {
      if (source.owned && !this.#ends.has(source))
        this.#ends.set(source, new PoolEnd(source.pool, timeoutMs));
    }
  }

  /**
   * Closes the adapter's own handles when no request uses one any more, within the time that `endWaits()` began, or
   * within `timeoutMs` from now where that is given. Idempotent; never rejects.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` for a `timeoutMs` that is none, synchronously
   */
  close(timeoutMs?: number): Promise<DrainReport> {
    if (timeoutMs !== undefined) checkClose(timeoutMs);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number | undefined): Promise<DrainReport> {
    this.endWaits(timeoutMs);
    const idle = this.#requests.idle();
    const reports = [...this.#ends.values()].map((end) => {
      if (timeoutMs !== undefined) end.limit(timeoutMs);
      return end.close(idle);
    });
    return sumOfReports(await Promise.all(reports));
  }

  *#sources(): Generator<PoolSource> {
    if (this.#main !== undefined) yield this.#main;
    yield* this.#named.values();
  }
}

/** With a `then`, `await request.redis` would never end. Scripts are members too. */
function checkMember(namespace: string, main: RedisPool | undefined): void {
  const isMember =
    namespace in RedisPool.prototype ||
    namespace in RequestRedis.prototype ||
    namespace === 'then' ||
    namespace in (main?.scope() ?? {});
  if (!isMember) return;
  throw invalidOption(`Redis '${namespace}' cannot be a namespace: "redis" has a member of that name`);
}

function closingError(): RedisPoolError {
  return new RedisPoolError('RP_ERR_CLOSING', 'The application is closing', { maybeExecuted: false });
}
