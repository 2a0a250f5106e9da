import {
  invalidOption,
  type MountedPools,
  type PoolSource,
  type RequestPools,
} from '@redis-pool/core/adapter';
import type { Request, Response } from 'express';
import onHeaders from 'on-headers';

/** Who speaks in errors. */
export const ADAPTER = '@redis-pool/express';

/** One middleware: its pool, and the requests that use it. */
export interface Mount {
  readonly source: PoolSource;
  readonly mounted: MountedPools;
}

/** A pool on the way of a request, and what the request has used of it. */
interface Passed {
  readonly mount: Mount;
  pools: RequestPools | undefined;
}

/** What the types of Express leave out. */
interface App {
  /** Prototype of its requests. */
  readonly request: object;
  readonly parent?: App | undefined;
}

/** Prototypes of requests that lead to the getter. */
const bound = new WeakSet<object>();

/**
 * What a request has met on its way: most often one middleware. Beside the request, since a property of its own, and
 * even more so a getter of its own, costs every request several times as much: objects whose prototype was changed,
 * as Express does, are slow to grow.
 */
const met = new WeakMap<Request, Mount | RequestMounts>();

/**
 * Gives a request its `redis`, or one pool more in it.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION` when that place is taken
 */
export function mountOn(request: Request, response: Response, mount: Mount): void {
  const before = met.get(request);
  if (before === mount) return;
  if (before !== undefined) {
    mountsOf(request, before).add(mount);
    return;
  }
  // A router that runs without an application does not say where the response is.
  const app = request.app as unknown as App | undefined;
  if (!bound.has(app?.request ?? request)) bind(request, app);
  met.set(request, app === undefined ? new RequestMounts(request, response, mount) : mount);
}

function mountsOf(request: Request, before: Mount | RequestMounts): RequestMounts {
  if (before instanceof RequestMounts) return before;
  const mounts = new RequestMounts(request, request.res as Response, before);
  met.set(request, mounts);
  return mounts;
}

const REDIS: PropertyDescriptor & ThisType<Request> = {
  get() {
    const before = met.get(this);
    return before === undefined ? undefined : mountsOf(this, before).redis;
  },
  configurable: true,
};

/** Where a sub-application has mounted the pool, what comes behind it in the whole application has `redis` too. */
function bind(request: Request, app: App | undefined): void {
  // Without an application, a request is its own prototype.
  const prototype = app === undefined ? request : rootOf(app).request;
  if (!bound.has(prototype)) {
    if ('redis' in request) throw invalidOption('"req.redis" is something else already');
    Object.defineProperty(prototype, 'redis', REDIS);
  }
  bound.add(prototype).add(app?.request ?? request);
}

/** Requests of a sub-application inherit from those of the application that it is mounted in. */
function rootOf(app: App): App {
  return app.parent === undefined ? app : rootOf(app.parent);
}

/** The pools that one request has met on its way, as its `redis`. */
class RequestMounts {
  readonly #request: Request;
  readonly #response: Response;
  readonly #passed: Passed[];
  #redis: object | undefined;
  /** Whether its answer will have a `Server-Timing` header. */
  #isTimed = false;

  constructor(request: Request, response: Response, mount: Mount) {
    this.#request = request;
    this.#response = response;
    this.#passed = [{ mount, pools: undefined }];
  }

  add(mount: Mount): void {
    const { namespace } = mount.source;
    const other = this.#passed.find(({ mount: { source } }) => source.namespace === namespace);
    // A middleware that is mounted twice.
    if (other?.mount === mount) return;
    other?.mount.mounted.checkFree(namespace, ADAPTER);
    const passed = { mount, pools: undefined };
    this.#passed.push(passed);
    if (this.#redis === undefined) return;
    // Used already. Under a pool without a namespace the others have to be laid again.
    if (namespace === undefined) this.#redis = undefined;
    else this.#lay(this.#redis, passed);
  }

  /** What `req.redis` is: the scope of the pool without a namespace, with those of the others as members. */
  get redis(): object {
    if (this.#redis !== undefined) return this.#redis;
    const main = this.#main;
    const root: object = main === undefined ? Object.create(null) : this.#enter(main).redis;
    this.#redis = root;
    for (const passed of this.#passed) if (passed !== main) this.#lay(root, passed);
    return root;
  }

  get #main(): Passed | undefined {
    return this.#passed.find(({ mount }) => mount.source.namespace === undefined);
  }

  #enter(passed: Passed): RequestPools {
    if (passed.pools !== undefined) return passed.pools;
    const { source, mounted } = passed.mount;
    const request = this.#request;
    const response = this.#response;
    passed.pools = mounted.enter({ request, response, label: labelOf(request) });
    if (source.requests.serverTiming && !this.#isTimed) {
      this.#isTimed = true;
      onHeaders(response, () => this.#addServerTiming());
    }
    return passed.pools;
  }

  #addServerTiming(): void {
    const timings = this.#passed.flatMap(({ pools }) => pools?.serverTiming() ?? []);
    if (timings.length > 0) this.#response.appendHeader('server-timing', timings.join(', '));
  }

  #lay(root: object, passed: Passed): void {
    const namespace = passed.mount.source.namespace as string;
    // Such as a script.
    if (namespace in root) this.#main?.mount.mounted.checkFree(namespace, ADAPTER);
    const get = (): unknown => (this.#enter(passed).redis as Record<string, unknown>)[namespace];
    Object.defineProperty(root, namespace, { get, enumerable: true });
  }
}

/** The route, put together when it is asked for. A router takes its prefix off when an error leaves it: noted before. */
function labelOf(request: Request): () => string {
  const { baseUrl, route } = request;
  return () => {
    const known = route === undefined ? request : { baseUrl, route };
    return `${request.method} ${known.route === undefined ? '(no route)' : known.baseUrl + known.route.path}`;
  };
}
