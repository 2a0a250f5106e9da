import type { RequestRedis } from '../scope/request-redis.js';
import type { ScopeEnd } from '../scope/scope-options.js';
import type { Exchange } from './exchange.js';
import type { PoolSource } from './pool-source.js';
import { formatTiming } from './server-timing.js';

/** The pools of an application in the name of one request. */
export class RequestPools {
  /** What `request.redis` is: the scope of the pool without a namespace, with those of the others as members. */
  readonly redis: object;
  readonly #exchange: Exchange;
  readonly #scopes = new Map<PoolSource, RequestRedis>();
  #end: ScopeEnd | undefined;
  #waitsEnd: { readonly reason: unknown } | undefined;

  constructor(exchange: Exchange, main: PoolSource | undefined, named: ReadonlyMap<string, PoolSource>) {
    this.#exchange = exchange;
    this.redis = main === undefined ? Object.create(null) : this.#scopeOf(main);
    for (const [namespace, source] of named) defineLazily(this.redis, namespace, () => this.#scopeOf(source));
  }

  endWaits(reason: unknown): void {
    this.#waitsEnd ??= { reason };
    for (const scope of this.#scopes.values()) scope.endWaits(reason);
  }

  end(how: ScopeEnd): void {
    this.#end = how;
    for (const scope of this.#scopes.values()) scope.end(how);
  }

  /** The value of a `Server-Timing` header, for the pools that want one and were used. */
  serverTiming(): string | undefined {
    const metrics: string[] = [];
    for (const [{ requests, namespace }, scope] of this.#scopes) {
      if (requests.serverTiming) metrics.push(formatTiming(scope.usage(), namespace));
    }
    return metrics.length === 0 ? undefined : metrics.join(', ');
  }

  #scopeOf(source: PoolSource): RequestRedis {
    const scope = source.pool.scope(this.#scopeOptions(source));
    this.#scopes.set(source, scope);
    if (this.#waitsEnd !== undefined) scope.endWaits(this.#waitsEnd.reason);
    if (this.#end !== undefined) scope.end(this.#end);
    return scope;
  }

  #scopeOptions({ requests }: PoolSource) {
    const { onHangUp, forgottenLeaseMs, requestTimeoutMs, requestSignal, serverTiming } = requests;
    const { label, request } = this.#exchange;
    return {
      label,
      onHangUp,
      forgottenLeaseMs,
      timeoutMs: requestTimeoutMs,
      signal: requestSignal?.(request as never),
      timed: serverTiming,
    };
  }
}

function defineLazily(target: object, name: string, make: () => object): void {
  const get = (): object => {
    const value = make();
    Object.defineProperty(target, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(target, name, { get, enumerable: true, configurable: true });
}
