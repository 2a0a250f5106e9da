import { createRedisPool, type RedisPoolOptions } from '@redis-pool/core';
import type { Peer, Target } from './peer.js';

/** This project's pool with its default options. */
export const redisPool: Peer = {
  id: 'redis-pool',
  async connect(target) {
    const pool = createRedisPool(poolOptions(target));
    await pool.ready();
    return {
      get: (key) => pool.get(key),
      set: (key, value) => pool.set(key, value),
      mget: (keys) => pool.mget(keys),
      hgetall: (key) => pool.hgetall(key),
      close: async () => void (await pool.close()),
    };
  },
};

function poolOptions(target: Target): RedisPoolOptions {
  switch (target.transport) {
    case 'tcp':
      return { url: `redis://${target.host}:${target.port}` };
    case 'unix':
      return { url: `unix://${target.path}` };
    case 'tls':
      return { url: `rediss://${target.host}:${target.port}`, redis: { tls: { ca: target.ca } } };
  }
}
