import { Redis, type RedisOptions } from 'ioredis';
import type { Peer, PeerClient, PeerId, Target } from './peer.js';

type LegacyOptions = RedisOptions & { replyMapping?: 'legacy' };

export const ioredis = ioredisPeer('ioredis', {});
export const ioredisAutopipelining = ioredisPeer('ioredis-autopipelining', { enableAutoPipelining: true });

function ioredisPeer(id: PeerId, options: LegacyOptions): Peer {
  return { id, connect: async (target) => asClient(await connectIoredis(target, options)) };
}

/** One ioredis connection, ready. */
export async function connectIoredis(target: Target, options: LegacyOptions = {}): Promise<Redis> {
  const all: LegacyOptions = { ...address(target), ...options, lazyConnect: true };
  const redis = new Redis(all);
  await redis.connect();
  return redis;
}

function asClient(redis: Redis): PeerClient {
  return {
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
    mget: (keys) => redis.mget(keys),
    hgetall: (key) => redis.hgetall(key),
    close: async () => void (await redis.quit()),
  };
}

function address(target: Target): LegacyOptions {
  switch (target.transport) {
    case 'tcp':
      return { host: target.host, port: target.port };
    case 'unix':
      return { path: target.path };
    case 'tls':
      return { host: target.host, port: target.port, tls: { ca: target.ca } };
  }
}
