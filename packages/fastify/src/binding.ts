import type { ServerResponse } from 'node:http';
import { type MountedPools, type RequestPools, retryAdvice } from '@redis-pool/core/adapter';
import type { FastifyInstance, FastifyReply, FastifyRequest, onErrorHookHandler } from 'fastify';
import onHeaders from 'on-headers';

const REPLY = Symbol('@redis-pool/fastify reply');
const POOLS = Symbol('@redis-pool/fastify pools');

interface PluginRequest extends FastifyRequest {
  [REPLY]: FastifyReply | null;
  [POOLS]: RequestPools | null;
}

/** Gives the requests of an application their `redis`, which is made on first use. */
export function bindRequests(app: FastifyInstance, mounted: MountedPools): void {
  app.decorateRequest(REPLY, null);
  app.decorateRequest(POOLS, null);
  app.decorateRequest('redis', {
    getter(this: FastifyRequest) {
      const request = this as PluginRequest;
      request[POOLS] ??= enter(mounted, request);
      return request[POOLS].redis as FastifyRequest['redis'];
    },
  });
  // Nothing else leads from a request to its response.
  app.addHook('onRequest', (request, reply, done) => {
    (request as PluginRequest)[REPLY] = reply;
    done();
  });
  app.addHook('onError', adviseRetry);
}

function enter(mounted: MountedPools, request: PluginRequest): RequestPools {
  const { raw } = request[REPLY] as FastifyReply;
  const label = (): string => `${request.method} ${request.routeOptions.url ?? '(no route)'}`;
  const pools = mounted.enter({ request, response: raw, label });
  if (mounted.isTimed) onHeaders(raw, () => addServerTiming(raw, pools));
  return pools;
}

function addServerTiming(response: ServerResponse, pools: RequestPools): void {
  const timing = pools.serverTiming();
  const others = response.getHeader('server-timing');
  if (timing !== undefined) response.setHeader('server-timing', [others ?? [], timing].flat().join(', '));
}

/** Runs before error handlers, also those of the application: what they send has the header. */
const adviseRetry: onErrorHookHandler = (_request, reply, error, done) => {
  const advice = retryAdvice(error);
  if (advice !== undefined && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', advice.retryAfterSeconds);
  }
  done();
};
