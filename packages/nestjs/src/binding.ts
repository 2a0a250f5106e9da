import type { ServerResponse } from 'node:http';
import type { MountedPools } from '@redis-pool/core/adapter';
import { BoundRequest } from './bound-request.js';

const BOUND = Symbol('@redis-pool/nestjs request');

/** What is needed of Nest's adapter for a platform. */
interface PlatformAdapter {
  getType(): string;
  getInstance(): unknown;
  use(middleware: RawMiddleware): unknown;
}

type RawMiddleware = (request: object, response: ServerResponse, next: () => void) => void;

/** The object that an application of Express has as the prototype of its requests. */
interface ExpressRequest {
  readonly res: ServerResponse;
  [BOUND]?: BoundRequest;
}

/** A request of `node:http`, which Nest's middleware gets from Fastify. */
interface RawRequest {
  [BOUND]?: BoundRequest;
}

interface FastifyRequest {
  readonly raw: RawRequest;
}

interface FastifyInstance {
  decorateRequest(name: string, property: { getter(this: FastifyRequest): object | undefined }): unknown;
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequest, reply: { readonly raw: ServerResponse }, done: () => void) => void,
  ): unknown;
}

/** Gives the requests of an application their `redis`, which is made on first use. */
export function bindRequests(adapter: PlatformAdapter, mounted: MountedPools): void {
  const type = adapter.getType();
  if (type === 'express') bindExpress(adapter.getInstance() as { readonly request: object }, mounted);
  else if (type === 'fastify') bindFastify(adapter, adapter.getInstance() as FastifyInstance, mounted);
  else bindMiddleware(adapter, mounted);
}

// On the prototype: costs a request nothing, and whatever comes first in the chain has it.
function bindExpress({ request: prototype }: { readonly request: object }, mounted: MountedPools): void {
  Object.defineProperty(prototype, 'redis', {
    get(this: ExpressRequest) {
      this[BOUND] ??= new BoundRequest(mounted, this, this.res);
      return this[BOUND].redis;
    },
    configurable: true,
    enumerable: true,
  });
}

function bindFastify(adapter: PlatformAdapter, instance: FastifyInstance, mounted: MountedPools): void {
  instance.decorateRequest('redis', {
    getter() {
      return this.raw[BOUND]?.redis;
    },
  });
  // Nothing else leads from a request to its response.
  instance.addHook('onRequest', (request, { raw: response }, done) => {
    const { raw } = request;
    // Middleware may have run already, and used it.
    raw[BOUND] ??= new BoundRequest(mounted, raw, response);
    raw[BOUND].request = request;
    done();
  });
  try {
    bindMiddleware(adapter, mounted);
  } catch {
    // With `skipMiddie` there is no middleware, or later that of the application, which does without.
  }
}

const RAW_REDIS = {
  get(this: RawRequest) {
    return this[BOUND]?.redis;
  },
  configurable: true,
  enumerable: true,
};

/** Middleware of Nest gets the request of `node:http` on every platform but Express. */
function bindMiddleware(adapter: PlatformAdapter, mounted: MountedPools): void {
  adapter.use((request: RawRequest, response, next) => {
    request[BOUND] ??= new BoundRequest(mounted, request, response);
    Object.defineProperty(request, 'redis', RAW_REDIS);
    next();
  });
}
