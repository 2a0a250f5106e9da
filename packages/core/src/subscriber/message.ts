/** What a subscriber gets as payload: text, or the bytes as they were published. */
export type MessageEncoding = 'utf8' | 'buffer';

export type MessagePayload<E extends MessageEncoding> = E extends 'buffer' ? Buffer : string;

/** One published message, as an iterator gives it. Shared by everybody who gets it: not to be changed. */
export interface Message<E extends MessageEncoding = 'utf8'> {
  /** The channel it was published on, decoded as UTF-8. */
  readonly channel: string;
  /** With `psubscribe`: the pattern it matched. */
  readonly pattern?: string;
  readonly message: MessagePayload<E>;
}

/**
 * Called for each message, synchronously and in the order of the server. What it throws, or rejects with when it is
 * async, is counted and logged once per subscription; it stops nobody, this listener included.
 */
export type MessageListener<E extends MessageEncoding = 'utf8'> = (
  message: MessagePayload<E>,
  channel: string,
  pattern?: string,
) => unknown;

/** A message as it came, decoded once per encoding however many subscriptions get it. */
export class IncomingMessage {
  readonly #channel: string;
  readonly #payload: Buffer;
  readonly #pattern: string | undefined;
  #text: Message | undefined;
  #bytes: Message<'buffer'> | undefined;

  constructor(channel: string, payload: Buffer, pattern?: string) {
    this.#channel = channel;
    this.#payload = payload;
    this.#pattern = pattern;
  }

  as<E extends MessageEncoding>(encoding: E): Message<E> {
    return (encoding === 'buffer' ? this.#asBytes() : this.#asText()) as Message<E>;
  }

  #asText(): Message {
    this.#text ??= this.#with(this.#payload.toString());
    return this.#text;
  }

  #asBytes(): Message<'buffer'> {
    this.#bytes ??= this.#with(withoutChunk(this.#payload));
    return this.#bytes;
  }

  #with<T extends string | Buffer>(message: T): { channel: string; pattern?: string; message: T } {
    const channel = this.#channel;
    const pattern = this.#pattern;
    return Object.freeze(pattern === undefined ? { channel, message } : { channel, pattern, message });
  }
}

/** ioredis gives views of what the socket read, up to 64 KiB each: a few kept bytes would keep all of it. */
function withoutChunk(payload: Buffer): Buffer {
  return payload.length * 2 < payload.buffer.byteLength ? Buffer.from(payload) : payload;
}
