import { isRedisPoolError } from '@redis-pool/core';
import type { FastifyInstance, FastifyPluginAsync, onErrorHookHandler } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { checkNamespace, MountedPools, mountedIn } from './mounted-pools.js';
import { checkOptions, openPool, type PoolSource, type RedisPoolPluginOptions } from './options.js';
import './types.js';

/** To give up a pool that never had a connection. */
const ABANDON_TIMEOUT_MS = 100;
/** Of Fastify's `pluginTimeout`: our error, which says why, has to come before Fastify's. */
const PLUGIN_TIMEOUT_SHARE = 0.9;
const RETRY_AFTER_SECONDS = 1;

const register: FastifyPluginAsync<RedisPoolPluginOptions> = async (app, options) => {
  const { namespace } = options;
  checkOptions(options);
  if (namespace !== undefined) checkNamespace(namespace);
  mountedIn(app)?.checkFree(namespace);
  const source = openPool(options, app.log);
  try {
    await start(app, source, options);
    mount(app, source, namespace);
  } catch (error) {
    if (source.owned) await source.pool.close({ timeoutMs: ABANDON_TIMEOUT_MS });
    throw error;
  }
};

/**
 * The Fastify plugin: `fastify.redis` and `request.redis` over the one pool of that name in this process.
 *
 * Registering rejects with a `RedisPoolError`: `RP_ERR_INVALID_OPTION`, also for a second registration under the
 * same name; `RP_ERR_POOL_CONFLICT`; and, with `startup: 'require'`, with what `pool.ready()` rejects with. It
 * leaves nothing open then.
 *
 * @example
 * ```ts
 * const app = fastify();
 * await app.register(redisPool, { url: 'redis://127.0.0.1:6379' });
 * app.get('/greeting', (request) => request.redis.get('greeting'));
 * ```
 */
export const redisPool: FastifyPluginAsync<RedisPoolPluginOptions> = fastifyPlugin(register, {
  fastify: '5.x',
  name: '@redis-pool/fastify',
});

async function start(
  app: FastifyInstance,
  { pool, connectTimeoutMs }: PoolSource,
  options: RedisPoolPluginOptions,
) {
  const { startup = 'require' } = options;
  if (startup === 'require') await pool.ready({ timeoutMs: readyTimeoutMs(app, connectTimeoutMs) });
  // The pool logs how it goes, and goes on trying.
  if (startup === 'optional') pool.ready().catch(() => {});
}

function readyTimeoutMs(app: FastifyInstance, connectTimeoutMs: number | undefined): number | undefined {
  const { pluginTimeout = 0 } = app.initialConfig;
  const limitMs = Math.floor(pluginTimeout * PLUGIN_TIMEOUT_SHARE);
  const isTooLong = limitMs > 0 && connectTimeoutMs !== undefined && connectTimeoutMs > limitMs;
  return isTooLong ? limitMs : connectTimeoutMs;
}

function mount(app: FastifyInstance, source: PoolSource, namespace: string | undefined): void {
  const mounted = mountedIn(app) ?? install(app, namespace === undefined ? source : undefined);
  mounted.add(source, namespace);
}

function install(app: FastifyInstance, main: PoolSource | undefined): MountedPools {
  const mounted = new MountedPools(main?.pool);
  mounted.install(app);
  app.addHook('onError', adviseRetry);
  app.addHook('onClose', () => mounted.close());
  return mounted;
}

/** Runs before error handlers, also those of the application: what they send has the header. */
const adviseRetry: onErrorHookHandler = (_request, reply, error, done) => {
  const isTryLater = isRedisPoolError(error) && error.statusCode === 503;
  if (isTryLater && !reply.hasHeader('retry-after')) reply.header('retry-after', RETRY_AFTER_SECONDS);
  done();
};
