/** What an open aggregate becomes; an attribute is read and thrown away. */
export type FrameKind = 'list' | 'object' | 'attribute' | 'push';

/** Elements allocated on the word of the server: a header of ten bytes must not cost gigabytes. */
const TRUSTED_ELEMENTS = 1_024;

/** Bytes allocated on the word of the server; beyond that the memory doubles as they arrive. */
const TRUSTED_BYTES = 32 * 1024 * 1024;

/**
 * An aggregate whose elements are still arriving. Law: `#remaining` values are missing (a map counts keys and
 * values), and the decoder's current frame is always the innermost one.
 */
export class Frame {
  readonly kind: FrameKind;
  readonly parent: Frame | undefined;
  readonly depth: number;
  readonly #items: unknown[] | undefined;
  readonly #object: Record<string, unknown> | undefined;
  #filled = 0;
  #remaining: number;
  #key: string | undefined;

  constructor(kind: FrameKind, count: number, parent: Frame | undefined) {
    this.kind = kind;
    this.parent = parent;
    this.depth = parent === undefined ? 1 : parent.depth + 1;
    this.#items =
      kind === 'list' || kind === 'push' ? new Array(Math.min(count, TRUSTED_ELEMENTS)) : undefined;
    this.#object = kind === 'object' ? {} : undefined;
    this.#remaining = count;
  }

  /** Takes the next element; true when it was the last one. */
  add(value: unknown): boolean {
    if (this.#items !== undefined) this.#items[this.#filled++] = value;
    else if (this.#object !== undefined) this.#addTo(this.#object, value);
    return --this.#remaining === 0;
  }

  get result(): unknown {
    return this.#items ?? this.#object;
  }

  /** Keys and values alternate. A key that is no string becomes one, as with any computed key. */
  #addTo(object: Record<string, unknown>, value: unknown): void {
    if (this.#key === undefined) {
      this.#key = String(value);
      return;
    }
    setOwn(object, this.#key, value);
    this.#key = undefined;
  }
}

/** A blob, with its CRLF, that did not arrive in one chunk: filled in place, so that each byte is copied once. */
export class PendingBlob {
  readonly type: number;
  readonly length: number;
  #bytes: Buffer;
  #filled = 0;

  constructor(type: number, length: number) {
    this.type = type;
    this.length = length;
    this.#bytes = Buffer.allocUnsafe(Math.min(length, TRUSTED_BYTES));
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get complete(): boolean {
    return this.#filled === this.length;
  }

  /** Copies what belongs to the blob and returns the position after it. */
  fill(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.length - this.#filled);
    const filled = this.#filled + end - from;
    if (filled > this.#bytes.length) this.#grow(filled);
    chunk.copy(this.#bytes, this.#filled, from, end);
    this.#filled = filled;
    return end;
  }

  #grow(atLeast: number): void {
    const size = Math.min(Math.max(this.#bytes.length * 2, atLeast), this.length);
    const grown = Buffer.allocUnsafe(size);
    this.#bytes.copy(grown, 0, 0, this.#filled);
    this.#bytes = grown;
  }
}

/** A bare assignment to `__proto__` would change the prototype instead of adding a field (ioredis #1267). */
function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__' && key !== 'constructor') object[key] = value;
  else Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
}
