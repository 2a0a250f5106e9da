import { ReplyError } from 'ioredis';
import { hex, NULL_LENGTH, PENDING, ProtocolError, RespReader } from './resp-reader.js';
import { Frame, type FrameKind, PendingBlob } from './resp-unfinished.js';

export { ProtocolError };

/** Receives what the decoder reads, in wire order. Must not call {@link ReplyDecoder.write} from a callback. */
export interface ReplySink {
  /** Called once at the start of each top-level reply that is not a push: true = JS strings, false = Buffers. */
  wantsStrings(): boolean;
  /** Any top-level reply that is not an error; errors inside an aggregate are elements of it. */
  onReply(reply: unknown): void;
  /** A top-level error, a `ReplyError` of ioredis; or the `ERR_STRING_TOO_LONG` of a reply no string can hold. */
  onErrorReply(error: Error): void;
  /** An out-of-band push; its strings are Buffers. */
  onPush(push: unknown[]): void;
}

/** The ioredis options that change the shape of replies. */
export interface ReplyDecoderOptions {
  /** `legacy`: RESP3 types in the shapes of RESP2. `resp3`: maps are objects, doubles numbers, booleans booleans. */
  mapping: 'legacy' | 'resp3';
  /** Integers and doubles as their text, always a string. */
  stringNumbers: boolean;
}

const ARRAY = 0x2a; // *
const ATTRIBUTE = 0x7c; // |
const BIG_NUMBER = 0x28; // (
const BLOB_ERROR = 0x21; // !
const BOOLEAN = 0x23; // #
const BULK = 0x24; // $
const DOUBLE = 0x2c; // ,
const INTEGER = 0x3a; // :
const MAP = 0x25; // %
const NULL = 0x5f; // _
const PUSH = 0x3e; // >
const SET = 0x7e; // ~
const SIMPLE_ERROR = 0x2d; // -
const SIMPLE_STRING = 0x2b; // +
const VERBATIM = 0x3d; // =

const CR = 0x0d;

/** More than any server sends; it bounds what a hostile one can make us hold open. */
const MAX_DEPTH = 1_024;

/** `txt:` in front of the text of a verbatim string. */
const VERBATIM_PREFIX = 4;

const DOUBLE_TEXT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SPECIAL_DOUBLE = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
  ['-nan', Number.NaN],
]);

/** Results of `#read` that are no value: its line is incomplete; or it is settled, or collected elsewhere. */
const MORE = Symbol('more');
const NOTHING = Symbol('nothing');

// Declared as `any` by ioredis.
const ReplyErrorClass = ReplyError as new (message: string) => Error;

/** Whether the sink was asked about the top-level reply being read, and its answer. */
type TextMode = 'unasked' | 'strings' | 'buffers';

/**
 * Decodes RESP2 and RESP3 replies that arrive in chunks of any size, into the values of ioredis 6.
 *
 * Strings are made straight from the socket chunk. What a chunk leaves unfinished is kept in one of three
 * places: a line as its parts, a blob in the memory it will have, an aggregate as a chain of frames. Only an
 * unfinished line is read again, so the cost is linear however the bytes are cut.
 */
export class ReplyDecoder {
  readonly #sink: ReplySink;
  readonly #resp3: boolean;
  readonly #stringNumbers: boolean;
  readonly #reader = new RespReader();
  #mode: TextMode = 'unasked';
  #line: Buffer[] = [];
  #blob: PendingBlob | undefined;
  #frame: Frame | undefined;
  #dead = false;

  constructor(sink: ReplySink, options: ReplyDecoderOptions) {
    this.#sink = sink;
    this.#resp3 = options.mapping === 'resp3';
    this.#stringNumbers = options.stringNumbers;
  }

  /**
   * Reads the next bytes of the stream and calls the sink for every reply they complete. A Buffer reply of
   * 4 KiB and more is a view of `chunk`, which therefore must not be written to afterwards. What a sink method
   * throws is thrown again on the next tick, and the replies after it are still delivered.
   *
   * @throws {@link ProtocolError} on malformed input, and on every call after that.
   */
  write(chunk: Buffer): void {
    if (this.#dead) throw new ProtocolError('The decoder stopped at an earlier error');
    if (chunk.length === 0) return;
    try {
      let pos = this.#line.length > 0 ? this.#resumeLine(chunk) : 0;
      if (this.#blob !== undefined) pos = this.#resumeBlob(this.#blob, chunk, pos);
      this.#run(chunk, pos);
    } catch (error) {
      this.#dead = true;
      throw error instanceof ProtocolError ? error : new ProtocolError('Unusable reply', { cause: error });
    }
  }

  /** Joins the line if this chunk has its end, and returns the position after what was taken. */
  #resumeLine(chunk: Buffer): number {
    const atCr = this.#line.at(-1)?.at(-1) === CR;
    const cr = atCr ? -1 : chunk.indexOf(CR);
    const end = cr === -1 && !atCr ? Number.POSITIVE_INFINITY : cr + 2;
    this.#line.push(chunk.subarray(0, end));
    if (end > chunk.length) return chunk.length;
    const line = Buffer.concat(this.#line);
    this.#line = [];
    this.#run(line, 0);
    return end;
  }

  #resumeBlob(blob: PendingBlob, chunk: Buffer, from: number): number {
    const pos = blob.fill(chunk, from);
    if (!blob.complete) return pos;
    this.#blob = undefined;
    this.#reader.load(blob.bytes, 0);
    this.#reader.skipBlob(blob.length - 2);
    this.#settleBlob(blob.type, blob.length - 2);
    return pos;
  }

  /** A string longer than V8 allows fails its own command, not the connection with everyone on it. */
  #settleBlob(type: number, length: number): void {
    let value: unknown;
    try {
      value = this.#blobValue(type, 0, length);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      this.#settle(BLOB_ERROR, error);
      return;
    }
    this.#settle(type, value);
  }

  #run(chunk: Buffer, from: number): void {
    const reader = this.#reader;
    reader.load(chunk, from);
    while (reader.pos < chunk.length) {
      const start = reader.pos;
      const type = chunk[start] as number;
      if (this.#mode === 'unasked') this.#mode = this.#ask(type);
      const value = this.#read(chunk, type);
      if (value === MORE) {
        this.#line.push(chunk.subarray(start));
        return;
      }
      if (value !== NOTHING) this.#settle(type, value);
    }
  }

  /** Not asked for an attribute: the reply it belongs to has not started yet. */
  #ask(type: number): TextMode {
    if (type === PUSH || type === ATTRIBUTE) return 'buffers';
    try {
      return this.#sink.wantsStrings() ? 'strings' : 'buffers';
    } catch (error) {
      rethrowLater(error);
      return 'buffers';
    }
  }

  /** The frequent types first: V8 compares in this order. */
  #read(chunk: Buffer, type: number): unknown {
    switch (type) {
      case BULK:
      case BLOB_ERROR:
      case VERBATIM:
        return this.#readBlob(chunk, type);
      case INTEGER:
        return this.#stringNumbers ? this.#readText() : this.#readInteger();
      case SIMPLE_STRING:
        return this.#readString();
      case ARRAY:
      case MAP:
      case SET:
      case PUSH:
      case ATTRIBUTE:
        return this.#readAggregate(type);
      case SIMPLE_ERROR:
        return this.#readError();
      case BIG_NUMBER:
        return this.#readText();
      case DOUBLE:
        return this.#readDouble();
      case BOOLEAN:
        return this.#readBoolean();
      case NULL:
        return this.#readNull();
      default:
        throw new ProtocolError(`Unknown reply type ${hex(type)}`);
    }
  }

  #readBlob(chunk: Buffer, type: number): unknown {
    const length = this.#reader.length();
    if (length < 0) return noValue(type, length);
    const start = this.#reader.pos;
    if (this.#reader.skipBlob(length)) return this.#blobValue(type, start, start + length);
    this.#blob = new PendingBlob(type, length + 2);
    this.#reader.pos = this.#blob.fill(chunk, start);
    return NOTHING;
  }

  #blobValue(type: number, start: number, end: number): unknown {
    if (type === BULK) return this.#string(start, end);
    if (type === BLOB_ERROR) return new ReplyErrorClass(this.#reader.text(start, end));
    if (end - start < VERBATIM_PREFIX) throw new ProtocolError('Verbatim string without a format');
    return this.#string(start + VERBATIM_PREFIX, end);
  }

  #string(start: number, end: number): string | Buffer {
    return this.#mode === 'strings' ? this.#reader.text(start, end) : this.#reader.buffer(start, end);
  }

  #readAggregate(type: number): unknown {
    const length = this.#reader.length();
    if (length < 0) return noValue(type, length);
    if (type === MAP) this.#open(this.#resp3 ? 'object' : 'list', length * 2);
    else if (type === ATTRIBUTE) this.#open('attribute', length * 2);
    else if (type === PUSH) this.#openPush(length);
    else this.#open('list', length);
    return NOTHING;
  }

  #openPush(length: number): void {
    if (this.#frame !== undefined) throw new ProtocolError('Push inside a reply');
    this.#open('push', length);
  }

  #open(kind: FrameKind, count: number): void {
    const frame = new Frame(kind, count, this.#frame);
    if (frame.depth > MAX_DEPTH) throw new ProtocolError(`Reply nested deeper than ${MAX_DEPTH} levels`);
    this.#frame = frame;
    if (count === 0) this.#close(frame);
  }

  #settle(type: number, value: unknown): void {
    const frame = this.#frame;
    if (frame === undefined) this.#deliver(type, value);
    else if (frame.add(value)) this.#close(frame);
  }

  /** A completed frame may be the last element of its parent, which then is complete too. */
  #close(completed: Frame): void {
    let frame = completed;
    while (frame.kind !== 'attribute' && frame.parent?.add(frame.result)) frame = frame.parent;
    this.#frame = frame.parent;
    if (frame.parent !== undefined) return;
    if (frame.kind === 'attribute') this.#mode = 'unasked';
    else this.#deliver(frame.kind === 'push' ? PUSH : ARRAY, frame.result);
  }

  /** What a sink throws is the bug of one caller: it must surface, but not end the connection of the others. */
  #deliver(type: number, value: unknown): void {
    this.#mode = 'unasked';
    try {
      if (type === SIMPLE_ERROR || type === BLOB_ERROR) this.#sink.onErrorReply(value as Error);
      else if (type === PUSH) this.#sink.onPush(value as unknown[]);
      else this.#sink.onReply(value);
    } catch (error) {
      rethrowLater(error);
    }
  }

  #readInteger(): unknown {
    return this.#reader.integer() ?? MORE;
  }

  #readString(): unknown {
    const start = this.#reader.pos + 1;
    const end = this.#reader.lineEnd();
    if (end === PENDING) return MORE;
    if (end - start === 2 && this.#mode === 'strings' && this.#reader.isOk(start)) return 'OK';
    return this.#string(start, end);
  }

  #readText(): string | typeof MORE {
    const start = this.#reader.pos + 1;
    const end = this.#reader.lineEnd();
    return end === PENDING ? MORE : this.#reader.text(start, end);
  }

  #readError(): unknown {
    const message = this.#readText();
    return message === MORE ? MORE : new ReplyErrorClass(message);
  }

  #readDouble(): unknown {
    if (!this.#resp3 && !this.#stringNumbers) return this.#readString();
    const text = this.#readText();
    return text === MORE || this.#stringNumbers ? text : parseDouble(text);
  }

  #readBoolean(): unknown {
    const text = this.#readText();
    if (text === MORE) return MORE;
    if (text !== 't' && text !== 'f') throw new ProtocolError('Malformed boolean');
    return this.#resp3 ? text === 't' : Number(text === 't');
  }

  #readNull(): unknown {
    const text = this.#readText();
    if (text === MORE) return MORE;
    if (text !== '') throw new ProtocolError('Malformed null');
    return null;
  }
}

/** Only RESP2 has null lengths, and only for these two. */
function noValue(type: number, length: number): unknown {
  if (length === PENDING) return MORE;
  if (length === NULL_LENGTH && (type === BULK || type === ARRAY)) return null;
  throw new ProtocolError('Negative length');
}

function parseDouble(text: string): number {
  const number = DOUBLE_TEXT.test(text) ? Number(text) : SPECIAL_DOUBLE.get(text);
  if (number === undefined) throw new ProtocolError('Malformed double');
  return number;
}

function rethrowLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
