import type { Redis } from './scripts.js';

/** Counters, each one a number at `counter:<name>`; one that was never counted up is 0. */
export async function readCounter(redis: Redis, name: string): Promise<number> {
  return Number((await redis.get(`counter:${name}`)) ?? 0);
}

export function countUp(redis: Redis, name: string): Promise<number> {
  return redis.incr(`counter:${name}`);
}
