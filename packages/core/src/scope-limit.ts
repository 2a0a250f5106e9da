import type { PoolCommand } from './commands/command.js';
import type { Engine } from './engine.js';

/** Something that a scope ends with itself. */
interface Limited {
  /** Whether the server may have seen it. */
  readonly isSent: boolean;
  end(error: unknown): void;
}

/**
 * Ends what one scope has running together: on its abort signal, or at its deadline. A command that was sent is
 * only detached from its caller (law 1); one that still waits for a connection is never sent.
 */
export class ScopeLimit {
  readonly #engine: Engine;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #endsAt: number;
  readonly #label: string;
  readonly #running = new Set<Limited>();
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

  /** Watches a command until it is settled. */
  track(command: PoolCommand): void {
    const { onFulfilled, onRejected } = command;
    const limited: Limited = {
      get isSent() {
        return command.owner !== undefined;
      },
      end: (error) => command.fail(error),
    };
    command.onFulfilled = (value) => {
      this.#remove(limited);
      onFulfilled(value);
    };
    command.onRejected = (error) => {
      this.#remove(limited);
      onRejected(error);
    };
    this.#add(limited);
  }

  /** Runs something that ends itself, in its own way, with a signal. `isSent`: whether a server has seen it. */
  async run<T>(action: (signal: AbortSignal) => Promise<T>, isSent: () => boolean = () => false): Promise<T> {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    const controller = new AbortController();
    const limited: Limited = {
      get isSent() {
        return isSent();
      },
      end: (error) => controller.abort(error),
    };
    this.#add(limited);
    try {
      return await action(controller.signal);
    } finally {
      this.#remove(limited);
    }
  }

  // Listener and timer exist only while something runs.
  #add(limited: Limited): void {
    this.#running.add(limited);
    if (this.#running.size > 1) return;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (Number.isFinite(this.#endsAt)) {
      this.#timer = setTimeout(this.#onDeadline, Math.max(1, this.#endsAt - performance.now()));
    }
  }

  #remove(limited: Limited): void {
    this.#running.delete(limited);
    if (this.#running.size > 0) return;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#timer);
  }

  readonly #onAbort = (): void => {
    for (const limited of [...this.#running]) limited.end(this.#signal?.reason);
  };

  // One turn later: replies that lie in the socket already are in time.
  readonly #onDeadline = (): void => {
    setImmediate(() => {
      for (const limited of [...this.#running]) limited.end(this.#timeoutError(limited.isSent));
    });
  };

  #timeoutError(maybeExecuted: boolean): Error {
    const reason = `ended a command of ${this.#label}: its timeoutMs of ${this.#timeoutMs} passed`;
    return this.#engine.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted });
  }
}
