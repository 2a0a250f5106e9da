import type { Message, MessageEncoding } from './message.js';

/**
 * One subscription to one or more channels; made by `subscribe()`, `psubscribe()` and `ssubscribe()`.
 *
 * Without a listener it is iterated, once:
 *
 * @example
 * ```ts
 * const subscription = await pool.subscribe('news');
 * for await (const { channel, message } of subscription) {
 *   console.log(channel, message);
 *   if (message === 'bye') break; // unsubscribes
 * }
 * ```
 */
export interface Subscription<E extends MessageEncoding = 'utf8'> extends AsyncIterable<Message<E>> {
  /** Channels or patterns as the server knows them, each once: with `ssubscribe` a `keyPrefix` included. */
  readonly channels: readonly string[];
  /** Messages that came and were given up because the buffer was full, those replaced by `coalesce` included. */
  readonly dropped: number;
  /** How often messages may have been lost with the connection; see `onGap`. */
  readonly gaps: number;
  /** Whether it is over; then nothing is delivered any more. */
  readonly ended: boolean;
  /**
   * Ends the subscription; nothing is delivered from the call on, and what waits in the buffer is dropped.
   *
   * Resolves when the server does not send its messages any more, at the latest after `commandTimeoutMs`. Idempotent;
   * never rejects.
   */
  unsubscribe(): Promise<void>;
  /** The same as `unsubscribe()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * Messages from the moment of the confirmation on. It is done when the subscription ends, and throws what `onEnd`
   * gets if that is an error, after the messages that still waited. Leaving the loop unsubscribes.
   *
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` when there is a listener, and at the second call.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<E>>;
}
