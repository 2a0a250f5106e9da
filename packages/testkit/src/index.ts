export type { ClientInfo } from './client-info.js';
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
export {
  RedisServer,
  type RedisServerStatus,
  type RestartOptions,
  type StartRedisOptions,
  startRedis,
} from './redis-server.js';
export { type WaitOptions, waitUntil } from './wait-until.js';
