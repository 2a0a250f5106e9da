import {
  callable,
  describeType,
  fields,
  foreign,
  integer,
  invalidOption,
  isFunction,
  isRecord,
  mustBe,
  oneOf,
} from '../options/option-rules.js';
import type { MessageEncoding, MessageListener } from './message.js';
import type { MessageOverflow } from './message-buffer.js';

/** Channels by name, by pattern, or by shard. */
export type SubscribeKind = 'subscribe' | 'psubscribe' | 'ssubscribe';

/** How a subscription behaves. The object is read once, when it is passed. */
export interface SubscribeOptions<E extends MessageEncoding = 'utf8'> {
  /** Ends the subscription; while `subscribe()` waits, rejects it with the reason. @default none */
  readonly signal?: AbortSignal | undefined;
  /** Messages that may wait for a slow iterator, from 1. A listener is called at once. @default 1_000 */
  readonly bufferSize?: number | undefined;
  /** What gives way when the buffer is full, see {@link MessageOverflow}. @default 'drop-oldest' */
  readonly overflow?: MessageOverflow | undefined;
  /**
   * Called after a lost connection, once every channel of this subscription is confirmed again and before the first
   * new message reaches its listener: what was published in between is lost. @default none
   */
  readonly onGap?: (() => void) | undefined;
  /**
   * Called once when a confirmed subscription has ended, whatever ended it; with an error when nobody asked for it:
   * the server refused to subscribe again after a lost connection (its error reply), or the buffer was full and
   * `overflow` is `end` (`RP_ERR_QUEUE_FULL`). @default none
   */
  readonly onEnd?: ((error: Error | undefined) => void) | undefined;
  /** `buffer`: payloads as they were published, for what is no text. Channel names stay text. @default 'utf8' */
  readonly encoding?: E | undefined;
}

/** What was asked for, checked and complete. */
export interface SubscribeRequest<E extends MessageEncoding> {
  readonly kind: SubscribeKind;
  /** As on the wire, each once. */
  readonly names: readonly string[];
  readonly listener: MessageListener<E> | undefined;
  /** What ends it: the signal of the caller and those of whoever it subscribed through. */
  readonly signals: readonly AbortSignal[];
  readonly bufferSize: number;
  readonly overflow: MessageOverflow;
  readonly onGap: (() => void) | undefined;
  readonly onEnd: ((error: Error | undefined) => void) | undefined;
  readonly encoding: E;
}

/** The arguments of `subscribe()` as they were passed. */
export interface SubscribeArguments {
  readonly kind: SubscribeKind;
  readonly channels: unknown;
  readonly listener: unknown;
  readonly options: unknown;
  /** End it besides the caller's own signal: those of a handle and a scope. */
  readonly lifetimes?: readonly AbortSignal[] | undefined;
  /** Of the pool. Only shard channels are keys to Redis and ioredis, so only they get it. */
  readonly keyPrefix: string;
}

const DEFAULT_BUFFER_SIZE = 1_000;

const readOptions = fields<SubscribeOptions<MessageEncoding>>({
  signal: foreign('an AbortSignal', isSignal),
  bufferSize: integer(1),
  overflow: oneOf('drop-oldest', 'coalesce', 'end'),
  onGap: callable(),
  onEnd: callable(),
  encoding: oneOf('utf8', 'buffer'),
});

/**
 * Checks the arguments of `subscribe()`.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`
 */
export function parseSubscribe<E extends MessageEncoding>(given: SubscribeArguments): SubscribeRequest<E> {
  const { kind, keyPrefix, options = {}, lifetimes = [] } = given;
  const names = new Set(readChannels(given.channels));
  const { encoding = 'utf8', ...checked } = readOptions(options, '');
  return {
    kind,
    names: Array.from(names, (name) => (kind === 'ssubscribe' ? keyPrefix + name : name)),
    listener: readListener(given.listener) as MessageListener<E> | undefined,
    signals: checked.signal === undefined ? lifetimes : [checked.signal, ...lifetimes],
    bufferSize: checked.bufferSize ?? DEFAULT_BUFFER_SIZE,
    overflow: checked.overflow ?? 'drop-oldest',
    onGap: checked.onGap,
    onEnd: checked.onEnd,
    encoding: encoding as E,
  };
}

function readChannels(channels: unknown): readonly string[] {
  if (typeof channels === 'string') return [readChannel(channels, 'channel')];
  if (Array.isArray(channels) && channels.length > 0) {
    return Array.from(channels, (channel: unknown, index) => readChannel(channel, `channels[${index}]`));
  }
  const received = Array.isArray(channels) ? 'an empty array' : describeType(channels);
  throw mustBe('channels', 'a string or a non-empty array of strings', received);
}

function readChannel(channel: unknown, path: string): string {
  if (typeof channel !== 'string') throw mustBe(path, 'a string', describeType(channel));
  // Such a name changes on its way to the server, and none of its messages would be recognised.
  if (Buffer.from(channel).toString() !== channel)
    throw mustBe(path, 'well-formed Unicode', 'half a character');
  return channel;
}

function readListener(listener: unknown): unknown {
  if (listener === undefined || isFunction(listener)) return listener;
  const hint = 'several channels go into one array, options come third';
  throw invalidOption(`Option "listener" must be a function (${hint}), received ${describeType(listener)}`);
}

function isSignal(value: unknown): boolean {
  return isRecord(value) && typeof value.aborted === 'boolean' && isFunction(value.addEventListener);
}
