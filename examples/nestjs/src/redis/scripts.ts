import type { RedisPoolOptions, RequestRedis } from '@redis-pool/core';
import type { Result } from 'ioredis';

// A script runs as one: nothing else happens on the server meanwhile. The pool sends the source once and calls it by
// its digest from then on.

/** The time is that of the server: the clocks of several processes differ. */
const takeFromWindow = `
local now = redis.call('TIME')
local nowMs = now[1] * 1000 + math.floor(now[2] / 1000)
local limit, windowMs = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs - windowMs)
local used = redis.call('ZCARD', KEYS[1])
local isAllowed = used < limit
if isAllowed then
  used = used + 1
  redis.call('ZADD', KEYS[1], nowMs, now[1] .. '.' .. now[2] .. '.' .. used)
  redis.call('PEXPIRE', KEYS[1], windowMs)
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { isAllowed and 1 or 0, limit - used, oldest[2] + windowMs - nowMs }
`;

/** Whoever takes a job off the queue tells its end; a second worker that had it too changes nothing any more. */
const finishJob = `
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], 'state', ARGV[3], 'result', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
`;

/** Commands of the application's own, for the option `scripts` of the pool. */
export const scripts = {
  takeFromWindow: { lua: takeFromWindow, numberOfKeys: 1 },
  finishJob: { lua: finishJob, numberOfKeys: 2 },
} satisfies RedisPoolOptions['scripts'];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    takeFromWindow(
      key: string,
      limit: number,
      windowMs: number,
    ): Result<[isAllowed: 0 | 1, remaining: number, resetMs: number], Context>;
    finishJob(
      ...args: [
        ...keys: [queue: string, job: string],
        ...entry: [group: string, id: string],
        ...outcome: [state: string, result: string, keepSeconds: number],
        ...event: [channel: string, message: string],
      ]
    ): Result<0 | 1, Context>;
  }
}

/** What a request uses: `redis` of the request. */
export type Redis = RequestRedis;
