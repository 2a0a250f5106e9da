import { RedisPool, RequestRedis } from '@redis-pool/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ActiveRequests } from './active-requests.js';
import { invalidOption, type PoolSource } from './options.js';

const POOLS = Symbol('@redis-pool/fastify pools');
const REPLY = Symbol('@redis-pool/fastify reply');
const VIEW = Symbol('@redis-pool/fastify view');

/** Of the time to close, what requests get; the rest is for the commands that still run then. */
const REQUESTS_SHARE = 0.8;

interface PluginInstance extends FastifyInstance {
  readonly [POOLS]?: MountedPools;
}

interface PluginRequest extends FastifyRequest {
  [REPLY]: FastifyReply | null;
  [VIEW]: object | null;
}

/** The pools of one application, or of one encapsulated part of it, as its routes see them. */
export class MountedPools {
  readonly #requests = new ActiveRequests();
  readonly #main: RedisPool | undefined;
  readonly #named = new Map<string, RedisPool>();
  readonly #sources: PoolSource[] = [];
  /** What `fastify.redis` is: the pool without a namespace, or nothing but the namespaces. */
  readonly #root: object;

  constructor(main: RedisPool | undefined) {
    this.#main = main;
    this.#root = main ?? Object.create(null);
  }

  /** Adds `redis` to an application and its requests. */
  install(app: FastifyInstance): void {
    app.decorate('redis', this.#root as FastifyInstance['redis']);
    app.decorate(POOLS, this as MountedPools);
    app.decorateRequest(REPLY, null);
    app.decorateRequest(VIEW, null);
    const viewOf = (request: PluginRequest): object => {
      request[VIEW] ??= this.#view(request);
      return request[VIEW];
    };
    app.decorateRequest('redis', {
      getter(this: FastifyRequest) {
        return viewOf(this as PluginRequest) as FastifyRequest['redis'];
      },
    });
    // Nothing else leads from a request to its response.
    app.addHook('onRequest', (request, reply, done) => {
      (request as PluginRequest)[REPLY] = reply;
      done();
    });
  }

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION` when something of that name is there. */
  checkFree(namespace: string | undefined): void {
    if (namespace === undefined) throw invalidOption('@redis-pool/fastify has already been registered');
    if (this.#named.has(namespace)) {
      throw invalidOption(`Redis '${namespace}' instance namespace has already been registered`);
    }
    // Scripts are members too.
    const isMember = namespace in this.#root || namespace in (this.#main?.scope() ?? {});
    if (isMember) throw memberError(namespace);
  }

  add(source: PoolSource, namespace: string | undefined): void {
    const { pool: value } = source;
    this.#sources.push(source);
    if (namespace === undefined) return;
    this.#named.set(namespace, value);
    Object.defineProperty(this.#root, namespace, { value, enumerable: true, configurable: true });
  }

  /** Closes the plugin's own handles when no request uses one any more; each within its limit. */
  async close(): Promise<void> {
    await Promise.all(this.#sources.filter(({ owned }) => owned).map((source) => this.#closeSource(source)));
    // A handle of the application may be mounted again, in another one.
    if (this.#main?.status === 'closed') return;
    for (const namespace of this.#named.keys()) Reflect.deleteProperty(this.#root, namespace);
  }

  async #closeSource({ pool, closeTimeoutMs }: PoolSource): Promise<void> {
    const deadline = performance.now() + closeTimeoutMs;
    await this.#requests.idle(closeTimeoutMs * REQUESTS_SHARE);
    await pool.close({ timeoutMs: Math.max(1, Math.round(deadline - performance.now())) });
  }

  #view(request: PluginRequest): object {
    if (request[REPLY] !== null) this.#requests.enter(request[REPLY]);
    const label = `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
    const view = this.#main?.scope({ label }) ?? Object.create(null);
    for (const [namespace, pool] of this.#named) defineLazily(view, namespace, () => pool.scope({ label }));
    return view;
  }
}

/** What an earlier registration has mounted in this application, if any. */
export function mountedIn(app: FastifyInstance): MountedPools | undefined {
  return (app as PluginInstance)[POOLS];
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` for what `fastify.redis` or `request.redis` have by themselves. */
export function checkNamespace(namespace: string): void {
  // With a `then`, `await request.redis` would never end.
  const isMember =
    namespace in RedisPool.prototype || namespace in RequestRedis.prototype || namespace === 'then';
  if (isMember) throw memberError(namespace);
}

function memberError(namespace: string): Error {
  return invalidOption(`Redis '${namespace}' cannot be a namespace: "redis" has a member of that name`);
}

function defineLazily(target: object, name: string, make: () => object): void {
  const get = (): object => {
    const value = make();
    Object.defineProperty(target, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(target, name, { get, enumerable: true, configurable: true });
}
