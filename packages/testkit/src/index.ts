export {
  type CertificateAuthority,
  type CertificateOptions,
  type Certificates,
  createCertificates,
  type KeyPair,
} from './certificates.js';
export type { ClientInfo } from './client-info.js';
export {
  type AnnouncedAddress,
  type ClusterNodeView,
  RedisCluster,
  type SlotRange,
  type StartClusterOptions,
  startCluster,
} from './cluster.js';
export {
  type DelayOptions,
  FaultProxy,
  type FaultProxyOptions,
  type FaultProxyTarget,
  type SplitOptions,
  startFaultProxy,
} from './fault-proxy.js';
export type { Direction, Directions } from './fault-rules.js';
export { type EnsureRedisServerOptions, ensureRedisServer, findRedisServer } from './find-redis-server.js';
export { freePort } from './free-port.js';
export { type LeakCheck, type LeakCheckOptions, leakCheck } from './leak-check.js';
export { Random } from './random.js';
export type { ServerTls, StartRedisOptions } from './redis-launch.js';
export { RedisServer, type RedisServerStatus, type RestartOptions, startRedis } from './redis-server.js';
export { SentinelGroup, type StartSentinelsOptions, startSentinels } from './sentinel-group.js';
export { type WaitOptions, waitUntil } from './wait-until.js';
