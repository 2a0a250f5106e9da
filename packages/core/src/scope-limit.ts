import type { PoolCommand } from './command.js';
import type { Engine } from './engine.js';

/**
 * Ends the commands of one scope together: on its abort signal, or at its deadline. A command that was sent is
 * only detached from its caller (law 1); one that still waits for a connection is never sent.
 */
export class ScopeLimit {
  readonly #engine: Engine;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #endsAt: number;
  readonly #label: string;
  readonly #pending = new Set<PoolCommand>();
  #timer: NodeJS.Timeout | undefined;

  constructor(engine: Engine, label: string, signal: AbortSignal | undefined, timeoutMs: number | undefined) {
    this.#engine = engine;
    this.#label = label;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs ?? Number.POSITIVE_INFINITY;
    this.#endsAt = performance.now() + this.#timeoutMs;
  }

  /** Why nothing may start any more, if so. */
  refusal(): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    return performance.now() >= this.#endsAt ? this.#timeoutError(false) : undefined;
  }

  /** Watches a command until it is settled; listeners and timer exist only while there is one. */
  track(command: PoolCommand): void {
    if (this.#pending.size === 0) this.#listen();
    this.#pending.add(command);
    const { onFulfilled, onRejected } = command;
    command.onFulfilled = (value) => {
      this.#forget(command);
      onFulfilled(value);
    };
    command.onRejected = (error) => {
      this.#forget(command);
      onRejected(error);
    };
  }

  #forget(command: PoolCommand): void {
    this.#pending.delete(command);
    if (this.#pending.size === 0) this.#unlisten();
  }

  #listen(): void {
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (Number.isFinite(this.#endsAt)) {
      this.#timer = setTimeout(this.#onDeadline, Math.max(1, this.#endsAt - performance.now()));
    }
  }

  #unlisten(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#timer);
  }

  readonly #onAbort = (): void => {
    for (const command of [...this.#pending]) command.fail(this.#signal?.reason);
  };

  // One turn later: replies that lie in the socket already are in time.
  readonly #onDeadline = (): void => {
    setImmediate(() => {
      for (const command of [...this.#pending]) command.fail(this.#timeoutError(command.owner !== undefined));
    });
  };

  #timeoutError(maybeExecuted: boolean): Error {
    const reason = `ended a command of ${this.#label}: its timeoutMs of ${this.#timeoutMs} passed`;
    return this.#engine.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted });
  }
}
