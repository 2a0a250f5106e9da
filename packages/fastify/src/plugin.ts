import {
  abandonPool,
  invalidOption,
  MountedPools,
  openPool,
  type PoolSource,
  startPool,
} from '@redis-pool/core/adapter';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { bindRequests } from './binding.js';
import type { RedisPoolPluginOptions } from './types.js';

const ADAPTER = '@redis-pool/fastify';
const MOUNTED = Symbol(`${ADAPTER} mounted`);

/** Of Fastify's `pluginTimeout`: our error, which says why, has to come before Fastify's. */
const PLUGIN_TIMEOUT_SHARE = 0.9;

interface PluginInstance extends FastifyInstance {
  readonly [MOUNTED]?: MountedPools;
}

/** Options that Fastify reads itself; a plugin sees them too. */
interface RegisterOptions {
  readonly prefix?: unknown;
  readonly logLevel?: unknown;
  readonly logSerializers?: unknown;
}

const register: FastifyPluginAsync<RedisPoolPluginOptions> = async (app, given) => {
  const { prefix, logLevel, logSerializers, ...options } = given as RedisPoolPluginOptions & RegisterOptions;
  const mounted = (app as PluginInstance)[MOUNTED];
  // `app.redis` cannot become another object: a pool without a namespace comes first.
  if (mounted !== undefined && options.namespace === undefined) {
    throw invalidOption(`${ADAPTER} has already been registered`);
  }
  (mounted ?? new MountedPools()).checkFree(options.namespace, ADAPTER);
  const source = openPool(options, app.log);
  try {
    await startPool(source, options, longestStartMs(app));
    mount(app, mounted ?? install(app, source), source);
  } catch (error) {
    await abandonPool(source);
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
  name: ADAPTER,
});

function longestStartMs(app: FastifyInstance): number | undefined {
  const { pluginTimeout = 0 } = app.initialConfig;
  return pluginTimeout > 0 ? Math.floor(pluginTimeout * PLUGIN_TIMEOUT_SHARE) : undefined;
}

/** What `fastify.redis` is: the pool without a namespace, or nothing but the namespaces. */
function install(app: FastifyInstance, { pool, namespace }: PoolSource): MountedPools {
  const mounted = new MountedPools();
  const root: object = namespace === undefined ? pool : Object.create(null);
  app.decorate('redis', root as FastifyInstance['redis']);
  app.decorate(MOUNTED, mounted as MountedPools);
  bindRequests(app, mounted);
  // What waits for ever would keep requests from finishing, and Fastify from closing.
  app.addHook('preClose', async () => mounted.endWaits());
  app.addHook('onClose', async () => {
    await mounted.close();
    // A handle of the application may be mounted again, in another one.
    if (mounted.main?.status === 'closed') return;
    for (const name of mounted.namespaces) Reflect.deleteProperty(root, name);
  });
  return mounted;
}

function mount(app: FastifyInstance, mounted: MountedPools, source: PoolSource): void {
  const { namespace, pool: value } = source;
  mounted.add(source);
  if (namespace === undefined) return;
  Object.defineProperty(app.redis, namespace, { value, enumerable: true, configurable: true });
}
