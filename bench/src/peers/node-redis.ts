import { createClient, createClientPool, type RedisClientOptions } from 'redis';
import type { Peer, Target } from './peer.js';

/** The size of its own pool that the client's documentation shows. */
const POOL_SIZE = 10;

export const nodeRedis: Peer = {
  id: 'node-redis',
  async connect(target) {
    const client = createClient(clientOptions(target));
    await client.connect();
    return {
      get: (key) => client.get(key),
      set: (key, value) => client.set(key, value),
      mget: (keys) => client.mGet(keys),
      hgetall: (key) => client.hGetAll(key),
      close: () => client.close(),
    };
  },
};

export const nodeRedisPool: Peer = {
  id: 'node-redis-pool',
  async connect(target) {
    const pool = createClientPool(clientOptions(target), { minimum: POOL_SIZE, maximum: POOL_SIZE });
    await pool.connect();
    return {
      get: (key) => pool.get(key),
      set: (key, value) => pool.set(key, value),
      mget: (keys) => pool.mGet(keys),
      hgetall: (key) => pool.hGetAll(key),
      close: () => pool.close(),
    };
  },
};

function clientOptions(target: Target): RedisClientOptions {
  switch (target.transport) {
    case 'tcp':
      return { socket: { host: target.host, port: target.port } };
    case 'unix':
      return { socket: { path: target.path, tls: false } };
    case 'tls':
      return { socket: { host: target.host, port: target.port, tls: true, ca: target.ca } };
  }
}
