import type { Redis } from 'ioredis';

/**
 * Keeps ioredis in subscriber mode once it is in it.
 *
 * ioredis 6.0.0 leaves the mode when an UNSUBSCRIBE is answered with the count 0. The server counts shard channels
 * apart from the others, so after the last ordinary channel every message of a shard channel is dropped (RESP3) or
 * taken for the reply to a command (RESP2), and the other way round. A subscriber connection never needs to leave.
 */
export function keepSubscriberMode(redis: Redis): void {
  const { condition } = redis;
  if (condition === null) return;
  let { subscriber } = condition;
  Object.defineProperty(condition, 'subscriber', {
    configurable: true,
    enumerable: true,
    get: () => subscriber,
    set: (next: typeof subscriber) => {
      subscriber = next || subscriber;
    },
  });
}
