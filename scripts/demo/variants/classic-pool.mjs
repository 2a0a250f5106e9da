import { createPool } from 'generic-pool';
import { Redis } from 'ioredis';

const CONNECTIONS = 20;

/** A pool of connections: each command takes one for itself, and gives it back when it is answered. */
export async function classicPool(app, { url }) {
  const pool = createPool(
    {
      async create() {
        const redis = new Redis(url, { lazyConnect: true });
        await redis.connect();
        return redis;
      },
      destroy: async (redis) => redis.disconnect(),
    },
    { min: CONNECTIONS, max: CONNECTIONS },
  );
  await pool.ready();
  app.addHook('onClose', async () => {
    await pool.drain();
    await pool.clear();
  });
  const commands = {
    get: (key) => pool.use((redis) => redis.get(key)),
    hgetall: (key) => pool.use((redis) => redis.hgetall(key)),
  };
  return (_request, work) => work(commands);
}
