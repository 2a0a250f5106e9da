const ARRAY = 0x2a; // *
const BULK = 0x24; // $
const ERROR = 0x2d; // -
const INTEGER = 0x3a; // :
const MINUS = 0x2d;
const ZERO = 0x30;

/** The value of an unfinished reply. */
const MORE = Symbol('more');

/** The least that reads RESP2 correctly: no options, no Buffers, no depth limit, strings only. */
export class ReplyParser {
  readonly #onReply: (reply: unknown) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #pos = 0;
  #unfinished: Buffer[] = [];
  #held = 0;
  /** Bytes that the unfinished reply has at least; trying earlier would read it in vain. */
  #need = 0;

  constructor(onReply: (reply: unknown) => void) {
    this.#onReply = onReply;
  }

  write(chunk: Buffer): void {
    const bytes = this.#held === 0 ? chunk : this.#joined(chunk);
    if (bytes === undefined) return;
    this.#bytes = bytes;
    this.#pos = 0;
    while (this.#pos < bytes.length) {
      const start = this.#pos;
      const reply = this.#read();
      if (reply === MORE) {
        this.#hold(bytes.subarray(start), start);
        return;
      }
      this.#onReply(reply);
    }
  }

  #joined(chunk: Buffer): Buffer | undefined {
    this.#unfinished.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#need) return undefined;
    const joined = Buffer.concat(this.#unfinished, this.#held);
    this.#unfinished = [];
    this.#held = 0;
    return joined;
  }

  #hold(rest: Buffer, start: number): void {
    this.#unfinished.push(rest);
    this.#held = rest.length;
    this.#need -= start;
  }

  #read(): unknown {
    const type = this.#bytes[this.#pos];
    this.#pos += 1;
    if (type === BULK) return this.#readBulk();
    if (type === ARRAY) return this.#readArray();
    if (type === INTEGER) return this.#readInteger();
    const line = this.#readLine();
    return type === ERROR && line !== MORE ? new Error(String(line)) : line;
  }

  #readBulk(): unknown {
    const length = this.#readInteger();
    if (length === MORE) return MORE;
    if (length === -1) return null;
    const start = this.#pos;
    const end = start + (length as number);
    if (end + 2 > this.#bytes.length) {
      this.#need = end + 2;
      return MORE;
    }
    this.#pos = end + 2;
    return this.#text(start, end);
  }

  #readArray(): unknown {
    const length = this.#readInteger();
    if (length === MORE) return MORE;
    const items: unknown[] = [];
    for (let index = 0; index < (length as number); index += 1) {
      const item = this.#read();
      if (item === MORE) return MORE;
      items.push(item);
    }
    return items;
  }

  #readInteger(): number | typeof MORE {
    const bytes = this.#bytes;
    let at = this.#pos;
    const negative = bytes[at] === MINUS;
    if (negative) at += 1;
    let value = 0;
    let byte = bytes[at];
    while (byte !== undefined && byte >= ZERO) {
      value = value * 10 + byte - ZERO;
      at += 1;
      byte = bytes[at];
    }
    if (at + 2 > bytes.length) return this.#more();
    this.#pos = at + 2;
    return negative ? -value : value;
  }

  #readLine(): string | typeof MORE {
    const end = this.#bytes.indexOf('\r\n', this.#pos);
    if (end < 0) return this.#more();
    const line = this.#text(this.#pos, end);
    this.#pos = end + 2;
    return line;
  }

  // What `toString('utf8')` calls, without its look at the arguments.
  #text(start: number, end: number): string {
    return (this.#bytes as Buffer & { utf8Slice(start: number, end: number): string }).utf8Slice(start, end);
  }

  #more(): typeof MORE {
    this.#need = this.#bytes.length + 1;
    return MORE;
  }
}
