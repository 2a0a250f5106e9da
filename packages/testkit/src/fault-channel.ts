import type { Socket } from 'node:net';
import { type ChannelRule, FORWARD } from './fault-rules.js';

// A held direction reads no more than this, so that the sender meets a full window as in a real outage.
const HELD_BYTES = 64 * 1024;
const DELAYED_BYTES = 16 * 1024 * 1024;

/** What a {@link FaultChannel} tells its connection. */
export interface ChannelObserver {
  onForwarded(bytes: number): void;
  onDropped(bytes: number): void;
  /** The source broke off without an end, and all bytes before that are through. */
  onAborted(): void;
}

type Item =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly dueAt: number }
  | { readonly kind: 'end' | 'abort'; readonly dueAt: number };

/**
 * One direction of a proxied connection: a queue between two sockets that a rule opens, slows or closes.
 * The end of the source travels through the same queue, after the bytes that came before it.
 */
export class FaultChannel {
  readonly #source: Socket;
  readonly #observer: ChannelObserver;
  #target: Socket | undefined;
  #rule: ChannelRule = FORWARD;
  #passBytes = FORWARD.passBytes;
  #queue: Item[] = [];
  #queuedBytes = 0;
  #lastDueAt = 0;
  #targetIsFull = false;
  #lostBytes = false;
  #cancelWakeUp: (() => void) | undefined;

  constructor(source: Socket, observer: ChannelObserver) {
    this.#source = source;
    this.#observer = observer;
    source.on('data', (chunk: Buffer) => this.#receive(chunk));
    source.on('end', () => this.#push({ kind: 'end', dueAt: this.#dueAt() }));
    source.on('close', () => {
      if (!source.readableEnded) this.#push({ kind: 'abort', dueAt: this.#dueAt() });
    });
  }

  /** True when bytes were dropped or could not be written any more: the two ends disagree about the stream. */
  get lostBytes(): boolean {
    return this.#lostBytes;
  }

  /** Gives the channel its target; until then everything is held. */
  connectTo(target: Socket): void {
    this.#target = target;
    target.on('drain', () => {
      this.#targetIsFull = false;
      this.#pump();
    });
    this.#pump();
  }

  /** Changes the rule for what is queued and what comes. Delays that are over by the new rule end now. */
  setRule(rule: ChannelRule): void {
    this.#rule = rule;
    this.#passBytes = rule.passBytes;
    if (rule.delayMs + rule.jitterMs === 0) {
      this.#queue = this.#queue.map((item) => ({ ...item, dueAt: 0 }));
      this.#lastDueAt = 0;
    }
    this.#cancelTimer();
    this.#pump();
  }

  /** Forgets what is queued and ends all timers. */
  close(): void {
    this.#target = undefined;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#cancelTimer();
  }

  // The first line is the way of nearly all bytes; it must stay as cheap as a plain pipe.
  #receive(chunk: Buffer): void {
    if (this.#rule === FORWARD && this.#queue.length === 0 && this.#target) this.#write(this.#target, chunk);
    else this.#push({ kind: 'bytes', bytes: chunk, dueAt: this.#dueAt() });
    this.#regulateSource();
  }

  #push(item: Item): void {
    this.#queue.push(item);
    if (item.kind === 'bytes') this.#queuedBytes += item.bytes.length;
    this.#pump();
  }

  #dueAt(): number {
    const { delayMs, jitterMs } = this.#rule;
    if (delayMs + jitterMs === 0) return this.#lastDueAt;
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + delayMs + Math.random() * jitterMs);
    return this.#lastDueAt;
  }

  #isHeld(): boolean {
    return this.#target === undefined || this.#rule.flow === 'hold' || this.#passBytes <= 0;
  }

  #pump(): void {
    if (this.#cancelWakeUp === undefined) this.#forwardQueue();
    this.#regulateSource();
  }

  #forwardQueue(): void {
    let item = this.#queue[0];
    while (item && this.#target && !this.#isHeld() && !this.#targetIsFull) {
      const pauseMs = this.#forward(item, this.#target);
      if (pauseMs !== undefined) {
        this.#wakeUpIn(pauseMs);
        break;
      }
      item = this.#queue[0];
    }
  }

  /** Forwards what may pass of the item; the milliseconds to pause before more, `undefined` for none. */
  #forward(item: Item, target: Socket): number | undefined {
    const waitMs = item.dueAt - performance.now();
    if (waitMs > 0) return waitMs;
    if (item.kind === 'bytes') return this.#forwardBytes(item, target);
    this.#queue.shift();
    if (item.kind === 'end') target.end();
    else this.#observer.onAborted();
    return undefined;
  }

  #forwardBytes({ bytes, dueAt }: Extract<Item, { kind: 'bytes' }>, target: Socket): number | undefined {
    const count = Math.min(bytes.length, this.#passBytes, this.#rule.maxBytes);
    const rest = bytes.subarray(count);
    if (rest.length > 0) this.#queue[0] = { kind: 'bytes', bytes: rest, dueAt };
    else this.#queue.shift();
    this.#queuedBytes -= count;
    this.#passBytes -= count;
    if (this.#rule.flow === 'drop') this.#drop(count);
    else this.#write(target, bytes.subarray(0, count));
    return Number.isFinite(this.#rule.maxBytes) ? 0 : undefined;
  }

  #drop(count: number): void {
    this.#lostBytes = true;
    this.#observer.onDropped(count);
  }

  #write(target: Socket, bytes: Buffer): void {
    if (target.writable) {
      this.#targetIsFull = !target.write(bytes);
      this.#observer.onForwarded(bytes.length);
    } else {
      this.#drop(bytes.length);
    }
  }

  // A piece of a split is given one turn of the event loop, in which a reader in this process gets it alone.
  #wakeUpIn(waitMs: number): void {
    const wakeUp = () => {
      this.#cancelWakeUp = undefined;
      this.#pump();
    };
    if (waitMs > 0) {
      const timer = setTimeout(wakeUp, Math.ceil(waitMs));
      this.#cancelWakeUp = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(wakeUp);
      this.#cancelWakeUp = () => clearImmediate(immediate);
    }
  }

  #cancelTimer(): void {
    this.#cancelWakeUp?.();
    this.#cancelWakeUp = undefined;
  }

  #regulateSource(): void {
    const limit = this.#isHeld() ? HELD_BYTES : DELAYED_BYTES;
    const isFull = this.#queuedBytes >= limit || (this.#targetIsFull && this.#target?.writable === true);
    if (isFull) this.#source.pause();
    else this.#source.resume();
  }
}
