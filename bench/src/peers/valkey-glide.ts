import type { Peer } from './peer.js';
import { requireTcp } from './require-tcp.js';

/**
 * Its limits are raised: 1,024 callers are over the default of 1,000 requests in flight, and a busy machine is
 * over the default of 250 ms.
 */
export const valkeyGlide: Peer = {
  id: 'valkey-glide',
  async connect(target) {
    const { host, port } = requireTcp(target);
    // Loaded late: on a platform without a prebuilt binary only this peer is missing.
    const { GlideClient } = await import('@valkey/valkey-glide');
    const client = await GlideClient.createClient({
      addresses: [{ host, port }],
      requestTimeout: 10_000,
      inflightRequestsLimit: 10_000,
    });
    return {
      get: (key) => client.get(key),
      set: (key, value) => client.set(key, value),
      mget: (keys) => client.mget(keys),
      hgetall: (key) => client.hgetall(key),
      close: async () => client.close(),
    };
  },
};
