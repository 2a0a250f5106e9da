import { createPool } from 'generic-pool';
import type { Redis } from 'ioredis';
import { connectIoredis } from './ioredis.js';
import type { Peer, PeerClient } from './peer.js';

const SIZE = 20;

/** The classic pool: 20 ioredis connections, one borrowed for each command. */
export const genericPool: Peer = {
  id: 'generic-pool',
  async connect(target): Promise<PeerClient> {
    const pool = createPool<Redis>(
      {
        create: () => connectIoredis(target),
        destroy: async (redis) => void (await redis.quit()),
      },
      { min: SIZE, max: SIZE },
    );
    await pool.ready();
    return {
      get: (key) => pool.use((redis) => redis.get(key)),
      set: (key, value) => pool.use((redis) => redis.set(key, value)),
      mget: (keys) => pool.use((redis) => redis.mget(keys)),
      hgetall: (key) => pool.use((redis) => redis.hgetall(key)),
      close: async () => {
        await pool.drain();
        await pool.clear();
      },
    };
  },
};
