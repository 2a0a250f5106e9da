import type { ServerResponse } from 'node:http';
import type { Exchange, MountedPools, RequestPools } from '@redis-pool/core/adapter';
import onHeaders from 'on-headers';

/** What is read of a request: of `node:http`, of Express, or of Fastify. */
interface RequestLike {
  readonly method?: string;
  readonly route?: { readonly path?: unknown };
  readonly routeOptions?: { readonly url?: string };
}

/** A request and what it has of Redis, from its first use on. */
export class BoundRequest implements Exchange {
  readonly response: ServerResponse;
  /** The platform's own, as soon as there is one. */
  request: object;
  readonly #mounted: MountedPools;
  #pools: RequestPools | undefined;

  constructor(mounted: MountedPools, request: object, response: ServerResponse) {
    this.#mounted = mounted;
    this.request = request;
    this.response = response;
  }

  get redis(): object {
    this.#pools ??= this.#enter();
    return this.#pools.redis;
  }

  readonly label = (): string => {
    const { method, route, routeOptions }: RequestLike = this.request;
    return `${method} ${routeOptions?.url ?? route?.path ?? '(no route)'}`;
  };

  #enter(): RequestPools {
    const { response } = this;
    const pools = this.#mounted.enter(this);
    if (this.#mounted.isTimed && !response.headersSent) {
      onHeaders(response, () => response.appendHeader('server-timing', pools.serverTiming() ?? []));
    }
    return pools;
  }
}
