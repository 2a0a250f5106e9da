import { ensureRedisServer, startRedis } from '@redis-pool/testkit';
import { Redis } from 'ioredis';

/** The Redis of the demo: that of REDIS_URL, or one that lives as long as the demo. */
export async function openDemoRedis(context) {
  const { REDIS_URL } = process.env;
  if (REDIS_URL) return useRedis(context, REDIS_URL);
  await ensureRedisServer({ log: (line) => context.screen.line(line) });
  context.signal.throwIfAborted();
  const server = await startRedis();
  context.defer(() => server.stop());
  context.screen.line(`Redis: a throw-away redis-server on port ${server.port}`);
  return new DemoRedis(await connect(context, server.url), server.url, '');
}

async function useRedis(context, url) {
  const admin = await connect(context, url);
  const redis = new DemoRedis(admin, url, `redis-pool-demo:${process.pid}-${Date.now().toString(36)}:`);
  context.defer(() => redis.removeKeys());
  context.screen.line(`Redis: REDIS_URL, with keys ${redis.prefix}*, which are removed at the end`);
  return redis;
}

async function connect({ defer }, url) {
  const admin = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 3_000 });
  let cause;
  admin.on('error', (error) => {
    cause = error;
  });
  try {
    await admin.connect();
  } catch (error) {
    admin.disconnect();
    throw new Error(`Redis does not answer: ${(cause ?? error).message}`);
  }
  defer(() => admin.disconnect());
  return admin;
}

class DemoRedis {
  #admin;

  constructor(admin, url, prefix) {
    this.#admin = admin;
    this.url = url;
    /** In front of every key of the demo. */
    this.prefix = prefix;
  }

  /** How many connections the server has accepted since it started. */
  async connectionsReceived() {
    const info = await this.#admin.info('stats');
    return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
  }

  /** Which connections it has now. */
  async clientIds() {
    const list = await this.#admin.client('LIST');
    return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id);
  }

  async removeKeys() {
    for await (const keys of this.#admin.scanStream({ match: `${this.prefix}*`, count: 1_000 })) {
      if (keys.length > 0) await this.#admin.unlink(keys);
    }
  }
}
