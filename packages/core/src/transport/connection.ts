import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import type { ConnectionRole } from '../options/options.js';
import type { WriteCoalescer } from './write-coalescer.js';

/**
 * One physical connection for one life: an ioredis instance that never reconnects, never queues offline and
 * never sends anything again (facts of ioredis 6.0.0 that make it so are in docs/transport.md).
 */
export class Connection {
  readonly role: ConnectionRole;
  readonly redis: Redis;
  readonly socket: Socket;
  readonly coalescer: WriteCoalescer;
  /** Resolves when the connection is lost and its listener was told. */
  readonly gone: Promise<void>;
  #lost = false;
  #endedByPool = false;
  #lastError: Error | undefined;
  #onOutdated: () => void = () => {};
  readonly #onLost: ((cause: Error | undefined) => void)[] = [];
  #resolveGone!: () => void;

  constructor(role: ConnectionRole, redis: Redis, socket: Socket, coalescer: WriteCoalescer) {
    this.role = role;
    this.redis = redis;
    this.socket = socket;
    this.coalescer = coalescer;
    this.gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    redis.on('error', (error) => {
      this.#lastError = error;
    });
    redis.once('end', this.#end);
    // The second guard: whatever ioredis makes of it, a closed socket ends the connection.
    socket.once('close', () => setImmediate(this.#end));
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Whether the pool has no use for it any more, and nothing was wrong with it. */
  get endedByPool(): boolean {
    return this.#endedByPool;
  }

  /** Characters and bytes that were written and that the operating system has not taken yet. */
  get unsentBytes(): number {
    return this.coalescer.pending + this.socket.writableLength;
  }

  /**
   * Calls back once, in a later turn of the event loop than the loss, or at once when it is lost already. Listeners are
   * called in the order in which they came.
   */
  onLost(listener: (cause: Error | undefined) => void): void {
    if (this.#lost) listener(this.#lastError);
    else this.#onLost.push(listener);
  }

  /** `listener` is called when another connection should take its place. */
  onOutdated(listener: () => void): void {
    this.#onOutdated = listener;
  }

  /** To be called when it is somebody else who should be connected by now, and this one cannot be told. */
  outdate(): void {
    if (!this.#lost) this.#onOutdated();
  }

  /** Ends the connection at once; what is in flight on it is lost. `cause`: what is wrong with it. */
  destroy(cause?: Error): void {
    const isSound = this.#lastError === undefined && this.socket.writable;
    if (cause === undefined && isSound) this.#endedByPool = true;
    this.#lastError ??= cause;
    // On a socket that closed already, ioredis's disconnect() leaves a timer behind for disconnectTimeout.
    if (!this.socket.closed) this.redis.disconnect();
    this.socket.destroy();
  }

  /** QUIT, so that the server sees an orderly end, but never for longer than `limitMs`. */
  async quit(limitMs: number): Promise<void> {
    if (this.#lost) return;
    this.#endedByPool = true;
    const timer = setTimeout(() => this.destroy(), limitMs);
    this.redis.quit().catch(() => this.destroy());
    await this.gone;
    clearTimeout(timer);
  }

  readonly #end = (): void => {
    if (this.#lost) return;
    this.#lost = true;
    this.socket.destroy();
    for (const listener of this.#onLost) listener(this.#lastError);
    this.#resolveGone();
  };
}
