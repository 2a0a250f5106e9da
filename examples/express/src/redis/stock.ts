import { randomUUID } from 'node:crypto';
import { FEED_CHANNEL, feedMessage } from './feed.js';
import type { Redis } from './scripts.js';

export type ReservationOutcome =
  | { readonly kind: 'reserved'; readonly id: string; readonly left: number }
  | { readonly kind: 'sold-out'; readonly left: number }
  | { readonly kind: 'unknown' };

/** With many buyers of one article somebody else is often faster; each attempt takes about a millisecond. */
const RETRIES = 200;

/** Pieces of an article, a number at `stock:<sku>`; `undefined` for one that was never put there. */
export async function readStock(redis: Redis, sku: string): Promise<number | undefined> {
  const left = await redis.get(stockKey(sku));
  return left === null ? undefined : Number(left);
}

export async function putStock(redis: Redis, sku: string, quantity: number): Promise<void> {
  await redis.set(stockKey(sku), quantity);
}

/** Takes pieces out of the stock and writes down who has them, both or neither, and never more than there are. */
export async function reserve(redis: Redis, sku: string, quantity: number): Promise<ReservationOutcome> {
  const id = randomUUID();
  let outcome: ReservationOutcome = { kind: 'unknown' };
  // The function runs again when somebody else changed the stock between its reading and its writing.
  await redis.transaction(
    [stockKey(sku)],
    async (read, queue) => {
      const stored = await read.get(stockKey(sku));
      const left = Number(stored) - quantity;
      if (stored === null) outcome = { kind: 'unknown' };
      else if (left < 0) outcome = { kind: 'sold-out', left: Number(stored) };
      else {
        outcome = { kind: 'reserved', id, left };
        queue.decrby(stockKey(sku), quantity).hset(`reservations:${sku}`, id, quantity);
        queue.publish(FEED_CHANNEL, feedMessage('stock', `${quantity} of ${sku} reserved, ${left} left`));
      }
    },
    { retries: RETRIES },
  );
  return outcome;
}

function stockKey(sku: string): string {
  return `stock:${sku}`;
}
