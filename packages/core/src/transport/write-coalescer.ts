import type { Socket } from 'node:net';

/** A growing batch is cut here, and at twice that each time, so that the server starts while we still encode. */
const FIRST_SPLIT = 2048;
const LAST_SPLIT = 8192;
/** Longer pieces are handed over as they are: joining them would copy them once more. */
const JOIN_BELOW = 16_384;
/** How much goes into one piece while the socket takes nothing. */
const PIECE = 65_536;

/**
 * How much may wait inside the socket before writing stops. Its own mark is 16 KiB: one large value at a time, and a
 * turn of the event loop between two of them.
 */
const SOCKET_HOLDS = 524_288;

type Write = Socket['write'];

/**
 * Gathers what is written to a socket in one turn of the event loop into one write, in order.
 *
 * It replaces `write` and `end` of that socket, so that ioredis's own writes go through the same buffer: the
 * order in ioredis's command queue and the order on the wire stay the same. The buffer dies with the socket and
 * is never replayed.
 *
 * A write while nothing is unanswered goes out at once: for a lone command waiting would only add latency. All
 * others flush on `setImmediate`: in a server each request comes in its own I/O callback, and `nextTick` would gather
 * one command per write.
 */
export class WriteCoalescer {
  /** How many writes were asked for; the number of a command is the value right after its write. */
  accepted = 0;
  /** The number of the last write that was handed to the socket. Later ones never reached it. */
  flushed = 0;
  /** How many times the socket was written to. */
  flushes = 0;
  readonly #socket: Socket;
  readonly #write: Write;
  readonly #end: Socket['end'];
  #unanswered: () => number = zero;
  #text = '';
  #pieces: (string | Buffer)[] = [];
  #pieceNumbers: number[] = [];
  #pieceBytes = 0;
  #splitAt = FIRST_SPLIT;
  #scheduled = false;
  #blocked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#write = socket.write;
    this.#end = socket.end;
    socket.write = this.#writeFromOutside as Write;
    socket.end = this.#endFromOutside as Socket['end'];
    socket.on('drain', this.#onDrain);
  }

  /** Characters and bytes that wait here, not yet handed to the socket. */
  get pending(): number {
    return this.#text.length + this.#pieceBytes;
  }

  /** Tells the coalescer how many commands are unanswered; until then every write is gathered. */
  watch(unanswered: () => number): void {
    this.#unanswered = unanswered;
  }

  write(data: string | Buffer): void {
    this.accepted += 1;
    // Not into a socket that has ended: that would count as sent.
    if (this.#isIdle() && this.#unanswered() === 0 && this.#socket.writable) this.#hand(data, this.accepted);
    else if (typeof data === 'string' && data.length < JOIN_BELOW) this.#gather(data);
    else this.#append(data);
  }

  flush(): void {
    this.#scheduled = false;
    this.#splitAt = FIRST_SPLIT;
    if (this.#blocked) return;
    if (this.#pieces.length > 0) this.#flushPieces();
    else this.#flushText();
  }

  #isIdle(): boolean {
    return this.#text === '' && this.#pieces.length === 0 && !this.#blocked && this.#unanswered !== zero;
  }

  #gather(data: string): void {
    this.#text += data;
    if (this.#text.length >= this.#splitAt && !this.#blocked) {
      this.#splitAt = Math.min(this.#splitAt * 2, LAST_SPLIT);
      if (this.#pieces.length > 0) this.#flushPieces();
      else this.#flushText();
    } else if (this.#text.length >= PIECE) this.#seal();
    this.#schedule();
  }

  #append(data: string | Buffer): void {
    this.#seal(this.accepted - 1);
    this.#pieces.push(data);
    this.#pieceNumbers.push(this.accepted);
    this.#pieceBytes += data.length;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => this.flush();

  #flushText(): void {
    if (this.#text === '' || !this.#socket.writable) return;
    const text = this.#text;
    this.#text = '';
    this.#hand(text, this.accepted);
  }

  #flushPieces(): void {
    this.#seal();
    if (!this.#socket.writable) return;
    const pieces = this.#pieces;
    const numbers = this.#pieceNumbers;
    let index = 0;
    this.#socket.cork();
    for (; index < pieces.length && !this.#blocked; index += 1) {
      const piece = pieces[index] as string | Buffer;
      this.#pieceBytes -= piece.length;
      this.#hand(piece, numbers[index] as number);
    }
    this.#socket.uncork();
    this.#pieces = pieces.slice(index);
    this.#pieceNumbers = numbers.slice(index);
  }

  /** Closes the text that is being gathered, as a piece of its own. */
  #seal(number = this.accepted): void {
    if (this.#text === '') return;
    this.#pieces.push(this.#text);
    this.#pieceNumbers.push(number);
    this.#pieceBytes += this.#text.length;
    this.#text = '';
  }

  #hand(data: string | Buffer, number: number): void {
    this.flushed = number;
    this.flushes += 1;
    // Stop then, go on at 'drain': ioredis itself would pile everything up in the socket.
    const hasRoom = this.#write.call(this.#socket, data);
    if (!hasRoom && this.#socket.writableLength >= SOCKET_HOLDS) this.#blocked = true;
  }

  readonly #onDrain = (): void => {
    this.#blocked = false;
    this.flush();
  };

  readonly #writeFromOutside = (...args: Parameters<Write>): boolean => {
    const [data, ...rest] = args;
    if (rest.length === 0) {
      this.write(data as string | Buffer);
      return !this.#blocked;
    }
    // Whoever wants an encoding or a callback (nobody in ioredis does) writes for itself, behind what waits.
    this.flush();
    this.accepted += 1;
    this.flushed = this.accepted;
    return this.#write.apply(this.#socket, args);
  };

  // `end` does not call `write`: what is gathered would be lost or fail after it.
  readonly #endFromOutside = (...args: Parameters<Socket['end']>): Socket => {
    this.#blocked = false;
    this.flush();
    return this.#end.apply(this.#socket, args);
  };
}

function zero(): number {
  return 0;
}
