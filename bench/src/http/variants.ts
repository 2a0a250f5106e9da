import fastifyRedis from '@fastify/redis';
import redisPool from '@redis-pool/fastify';
import type { Redis } from 'ioredis';
import { peer } from '../peers/index.js';
import { connectIoredis } from '../peers/ioredis.js';
import type { PeerClient, PeerId, Target } from '../peers/peer.js';
import { createApp, type Read } from './app.js';
import type { StartVariant, VariantId } from './variant.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** The one client of a variant without a plugin of its own. */
    benchClient: PeerClient;
  }
}

/** How to start the app of each variant. */
export const VARIANTS: Readonly<Record<VariantId, StartVariant>> = {
  'no-redis': async ({ keys, value }) => ({
    app: createApp(keys, (_context, group) => Promise.all(group.map(() => Promise.resolve(value)))),
  }),
  'redis-pool': sharedClient('redis-pool'),
  'redis-pool-plugin': withPlugin(({ app }, group) => Promise.all(group.map((key) => app.redis.get(key)))),
  'redis-pool-request': withPlugin(({ request }, group) => {
    const { redis } = request;
    return Promise.all(group.map((key) => redis.get(key)));
  }),
  'fastify-redis': async ({ target: { host, port }, keys }) => {
    const app = createApp(keys, (context, group) =>
      Promise.all(group.map((key) => context.app.redis.get(key))),
    );
    await app.register(fastifyRedis, { host, port });
    return { app };
  },
  'ioredis-autopipelining': sharedClient('ioredis-autopipelining'),
  'node-redis': sharedClient('node-redis'),
  'generic-pool': sharedClient('generic-pool'),
  'connection-per-request': async ({ target, keys }) => ({
    app: createApp(keys, (_context, group) =>
      withConnection(target, (redis) => Promise.all(group.map((key) => redis.get(key)))),
    ),
  }),
  'connection-per-command': async ({ target, keys }) => ({
    app: createApp(keys, (_context, group) =>
      Promise.all(group.map((key) => withConnection(target, (redis) => redis.get(key)))),
    ),
  }),
};

/** One client for the process, where the handlers find it through the app. */
function sharedClient(id: PeerId): StartVariant {
  return async ({ target, keys }) => {
    const client = await peer(id).connect(target);
    const app = createApp(keys, (context, group) =>
      Promise.all(group.map((key) => context.app.benchClient.get(key))),
    );
    app.decorate('benchClient', client);
    return { app };
  };
}

function withPlugin(read: Read): StartVariant {
  return async ({ target: { host, port }, keys }) => {
    const app = createApp(keys, read);
    await app.register(redisPool, { url: `redis://${host}:${port}` });
    return { app };
  };
}

async function withConnection<T>(target: Target, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = await connectIoredis(target);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
