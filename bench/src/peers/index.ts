import { bareSocket } from './bare-socket.js';
import { genericPool } from './generic-pool.js';
import { ioredis, ioredisAutopipelining } from './ioredis.js';
import { iovalkey } from './iovalkey.js';
import { nodeRedis, nodeRedisPool } from './node-redis.js';
import type { Peer, PeerId } from './peer.js';
import { redisPool } from './redis-pool.js';
import { valkeyGlide } from './valkey-glide.js';

const PEERS: readonly Peer[] = [
  redisPool,
  ioredis,
  ioredisAutopipelining,
  iovalkey,
  nodeRedis,
  nodeRedisPool,
  valkeyGlide,
  genericPool,
  bareSocket,
];

export function peer(id: PeerId): Peer {
  const found = PEERS.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`No peer is called ${id}`);
  return found;
}
