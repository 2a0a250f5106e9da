import type { Transport, Workload } from '../cell/cell-spec.js';
import type { VariantId } from '../http/variant.js';
import type { PeerId } from '../peers/peer.js';

/** How people know them. */
export const PEER_NAMES: Readonly<Record<PeerId, string>> = {
  'redis-pool': '@redis-pool/core',
  ioredis: 'ioredis',
  'ioredis-autopipelining': 'ioredis, autopipelining',
  iovalkey: 'iovalkey',
  'node-redis': 'node-redis',
  'node-redis-pool': 'node-redis pool (10)',
  'valkey-glide': 'valkey-glide',
  'generic-pool': 'generic-pool (20 ioredis)',
  'bare-socket': 'bare socket (the limit)',
};

export const VARIANT_NAMES: Readonly<Record<VariantId, string>> = {
  'no-redis': 'no Redis (the limit)',
  'redis-pool': '@redis-pool/core',
  'redis-pool-plugin': '@redis-pool/fastify, app.redis',
  'redis-pool-request': '@redis-pool/fastify, request.redis',
  'fastify-redis': '@fastify/redis',
  'ioredis-autopipelining': 'ioredis, autopipelining',
  'node-redis': 'node-redis',
  'generic-pool': 'generic-pool (20 ioredis)',
  'connection-per-request': 'a connection per request',
  'connection-per-command': 'a connection per command',
};

export const WORKLOAD_NAMES: Readonly<Record<Workload, string>> = {
  get: 'GET',
  set: 'SET',
  mixed: 'Mixed (60 GET, 20 SET, 10 HGETALL, 10 MGET)',
  mget: 'MGET of 10 keys',
  hgetall: 'HGETALL of 10 fields',
};

export const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = {
  tcp: 'TCP',
  unix: 'unix socket',
  tls: 'TLS',
};
