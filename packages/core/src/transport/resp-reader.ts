import { isAscii } from 'node:buffer';

/** The peer does not speak RESP. The message names at most the offending byte, never payload. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Missing from @types/node, present on every Buffer; `toString(encoding)` takes 9 ns more per string. */
interface Chunk extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

/** Instead of a number: the line is not complete. */
export const PENDING = -1;
/** Instead of a length: `-1`, the null of RESP2. */
export const NULL_LENGTH = -2;

const CR = 0x0d;
const LF = 0x0a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;

/** Of a blob or an aggregate; doubled for a map it is still a valid array length. */
const MAX_LENGTH = 0x7fff_ffff;

/** V8 copies a substring of up to 12 characters; a longer one would keep its whole window alive. */
const SHORT_TEXT = 12;
/** One native call decodes so many bytes for all the short strings in them: 10-18 ns a string instead of 45. */
const WINDOW_BYTES = 512;

/** Below this a Buffer is copied, so that keeping ten bytes does not keep a socket chunk of 64 KiB. */
const COPY_BELOW = 4_096;
/** Up to here a loop copies faster than a native call. */
const COPY_BY_HAND = 24;

/**
 * A position in one chunk, and the tokens that start there: a type byte, then a line, then perhaps a blob.
 * Law: a method that answers PENDING has not moved `pos`, so the token can be read again once it is complete.
 */
export class RespReader {
  /** Index of the type byte of the next token. */
  pos = 0;
  #chunk: Chunk = Buffer.alloc(0) as Chunk;
  #ascii: boolean | undefined;
  #window = '';
  #windowStart = 0;
  #windowEnd = 0;

  load(chunk: Buffer, pos: number): void {
    this.pos = pos;
    this.#chunk = chunk as Chunk;
    this.#ascii = undefined;
    this.#windowEnd = 0;
  }

  /** The length in a header `<type><length>CRLF`; moves behind it. */
  length(): number {
    const first = this.pos + 1;
    // One read past the end, and V8 compiles a slower load for all of them.
    if (first === this.#chunk.length) return PENDING;
    if (this.#chunk[first] === MINUS) return this.#nullLength(first + 1);
    const length = this.#digits(first);
    if (length > MAX_LENGTH) throw new ProtocolError('Length out of range');
    return length;
  }

  #nullLength(first: number): number {
    const digits = this.#digits(first);
    if (digits === PENDING) return PENDING;
    if (digits !== 1) throw new ProtocolError('Negative length');
    return NULL_LENGTH;
  }

  /** The integer on this line, or undefined when pending: any number may be a value here. */
  integer(): number | undefined {
    const first = this.pos + 1;
    if (first === this.#chunk.length) return undefined;
    const sign = this.#chunk[first];
    const start = sign === MINUS || sign === PLUS ? first + 1 : first;
    const digits = this.#digits(start);
    if (digits === PENDING) return undefined;
    const size = digits <= Number.MAX_SAFE_INTEGER ? digits : this.#nearest(start);
    return sign === MINUS ? -size : size;
  }

  /** Beyond 2^53 the sum was rounded at every digit; Number() rounds once, to the nearest. */
  #nearest(start: number): number {
    return Number(this.#chunk.latin1Slice(start, this.pos - 2));
  }

  #digits(first: number): number {
    const chunk = this.#chunk;
    let number = 0;
    for (let pos = first; pos < chunk.length; pos++) {
      const digit = (chunk[pos] as number) - ZERO;
      if (digit >= 0 && digit <= 9) number = number * 10 + digit;
      else return this.#endDigits(first, pos) ? number : PENDING;
    }
    return PENDING;
  }

  #endDigits(first: number, pos: number): boolean {
    const byte = this.#chunk[pos] as number;
    if (byte !== CR || pos === first) throw new ProtocolError(`Digit expected instead of ${hex(byte)}`);
    return this.#endLine(pos);
  }

  /** The end of the text on this line; moves behind the line. */
  lineEnd(): number {
    const chunk = this.#chunk;
    let pos = this.pos + 1;
    while (pos < chunk.length && chunk[pos] !== CR) pos++;
    return this.#endLine(pos) ? pos : PENDING;
  }

  #endLine(cr: number): boolean {
    if (cr + 1 >= this.#chunk.length) return false;
    if (this.#chunk[cr + 1] !== LF) throw crlfExpected();
    this.pos = cr + 2;
    return true;
  }

  /** A blob of `length` bytes at `pos` and its CRLF: false when they are not all here. */
  skipBlob(length: number): boolean {
    const end = this.pos + length;
    if (end + 2 > this.#chunk.length) return false;
    if (this.#chunk[end] !== CR || this.#chunk[end + 1] !== LF) throw crlfExpected();
    this.pos = end + 2;
    return true;
  }

  /** Most simple strings are this one. Only valid for a complete line of two characters. */
  isOk(start: number): boolean {
    return this.#chunk[start] === 0x4f && this.#chunk[start + 1] === 0x4b;
  }

  /** Latin-1 is the faster encoding, and the same one for ASCII; to know that costs 0.8 us for 64 KiB. */
  text(start: number, end: number): string {
    const chunk = this.#chunk;
    this.#ascii ??= isAscii(chunk);
    if (end - start <= SHORT_TEXT) return this.#shortText(start, end);
    return this.#ascii ? chunk.latin1Slice(start, end) : chunk.utf8Slice(start, end);
  }

  #shortText(start: number, end: number): string {
    const chunk = this.#chunk;
    if (!this.#ascii && !isAsciiRange(chunk, start, end)) return chunk.utf8Slice(start, end);
    if (end > this.#windowEnd) {
      this.#windowStart = start;
      this.#windowEnd = Math.min(start + WINDOW_BYTES, chunk.length);
      this.#window = chunk.latin1Slice(start, this.#windowEnd);
    }
    return this.#window.substring(start - this.#windowStart, end - this.#windowStart);
  }

  buffer(start: number, end: number): Buffer {
    const chunk = this.#chunk;
    const length = end - start;
    if (length >= COPY_BELOW) return chunk.subarray(start, end);
    const copy = Buffer.allocUnsafe(length);
    if (length > COPY_BY_HAND) chunk.copy(copy, 0, start, end);
    else for (let index = 0; index < length; index++) copy[index] = chunk[start + index] as number;
    return copy;
  }
}

function isAsciiRange(chunk: Buffer, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) if ((chunk[pos] as number) > 0x7f) return false;
  return true;
}

function crlfExpected(): ProtocolError {
  return new ProtocolError('CRLF expected');
}

/** For messages: a control character must not reach a terminal or a log. */
export function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`;
}
