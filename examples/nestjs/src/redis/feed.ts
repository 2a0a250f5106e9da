import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Subscription } from '@redis-pool/core';
import type { Redis } from './scripts.js';

export type FeedKind = 'message' | 'job' | 'stock';

export const FEED_CHANNEL = 'feed';

/** How long a browser waits before it comes back. */
const RETRY_MS = 1_000;

export function feedMessage(kind: FeedKind, text: string): string {
  return JSON.stringify({ kind, text, at: new Date().toISOString() });
}

export async function publish(redis: Redis, kind: FeedKind, text: string): Promise<void> {
  await redis.publish(FEED_CHANNEL, feedMessage(kind, text));
}

/**
 * The feed as server-sent events. It ends when the client leaves and when the application closes: both end the
 * subscription, which is the request's.
 */
export async function openFeed(redis: Redis, heartbeatMs: number): Promise<Readable> {
  const events = new PassThrough();
  const write = (text: string): void => {
    // Neither behind the end nor on top of what a slow client has still to read.
    if (events.writable && !events.writableNeedDrain) events.write(text);
  };
  const subscription = await redis.subscribe(FEED_CHANNEL, undefined, {
    onGap: () => write('event: gap\ndata: {}\n\n'),
  });
  // Without it proxies take a silent connection for a dead one.
  const heartbeat = setInterval(write, heartbeatMs, ': still here\n\n');
  pipeline(subscription, toEvents, events)
    // The client is gone.
    .catch(() => {})
    .finally(() => clearInterval(heartbeat));
  return events;
}

async function* toEvents(subscription: Subscription): AsyncGenerator<string> {
  yield `retry: ${RETRY_MS}\n\n`;
  for await (const { message } of subscription) yield `data: ${message}\n\n`;
}
