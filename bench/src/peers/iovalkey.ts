import { Redis as Valkey } from 'iovalkey';
import type { Peer } from './peer.js';
import { requireTcp } from './require-tcp.js';

/** The fork of ioredis 5 for Valkey, with its default options. */
export const iovalkey: Peer = {
  id: 'iovalkey',
  async connect(target) {
    const { host, port } = requireTcp(target);
    const valkey = new Valkey({ host, port, lazyConnect: true });
    await valkey.connect();
    return {
      get: (key) => valkey.get(key),
      set: (key, value) => valkey.set(key, value),
      mget: (keys) => valkey.mget(keys),
      hgetall: (key) => valkey.hgetall(key),
      close: async () => void (await valkey.quit()),
    };
  },
};
