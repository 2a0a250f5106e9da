import { constants } from 'node:os';
import type { DrainReport, RedisPool } from '@redis-pool/core';
import {
  type ClosableServer,
  checkClose,
  invalidOption,
  type MountedPools,
  ServerTraffic,
} from '@redis-pool/core/adapter';

/** How a server and its pool are ended. */
export interface CloseWithOptions {
  /** Time for all of it, ms, from 0. @default the pool's closeTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /** What begins it; with none, `close()` alone does. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
}

/** How it went. */
export interface ClosingReport extends DrainReport {
  /** Whether everything that ran could finish, requests too. */
  readonly drained: boolean;
  /** Requests that were not answered when the time was over; their connections were closed. */
  readonly cutRequests: number;
}

/** The orderly end of a server and a pool, begun by a signal or by `close()`. */
export interface Closing extends Disposable {
  /** Resolves when everything is closed; pending until it began. Never rejects. */
  readonly closed: Promise<ClosingReport>;
  /** Begins it, as the first signal does. Idempotent; never rejects. */
  close(): Promise<ClosingReport>;
  /** Takes `closeWith()` back: all listeners are removed; the server and the pool go on. Without effect once it began. */
  [Symbol.dispose](): void;
}

/** What is to be ended besides the server. */
export interface ClosingPool {
  readonly pool: RedisPool;
  readonly mounted: MountedPools;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

/** One server and one pool; several of them may share a server, each with its own pool. */
export class ServerClosing implements Closing {
  readonly closed: Promise<ClosingReport>;
  readonly #mounted: MountedPools;
  readonly #traffic: ServerTraffic;
  readonly #timeoutMs: number;
  readonly #signals: readonly NodeJS.Signals[];
  #tellClosed!: (report: Promise<ClosingReport>) => void;
  #hasBegun = false;

  /** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
  constructor({ pool, mounted }: ClosingPool, server: ClosableServer, options: CloseWithOptions = {}) {
    const { timeoutMs = pool.limits.closeTimeoutMs, signals = SIGNALS } = options;
    checkClose(timeoutMs);
    checkSignals(signals);
    this.#mounted = mounted;
    this.#timeoutMs = timeoutMs;
    this.#signals = signals;
    this.#traffic = new ServerTraffic(server);
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    for (const signal of signals) process.on(signal, this.#onSignal);
  }

  close(): Promise<ClosingReport> {
    if (!this.#hasBegun) this.#tellClosed(this.#end());
    this.#hasBegun = true;
    return this.closed;
  }

  [Symbol.dispose](): void {
    if (this.#hasBegun) return;
    this.#ignoreSignals();
    this.#traffic.unwatch();
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (!this.#hasBegun) {
      void this.close();
      return;
    }
    // Whoever sends a second one does not want to wait: the same signal again, now with what it does by itself.
    this.#ignoreSignals();
    process.kill(process.pid, signal);
  };

  async #end(): Promise<ClosingReport> {
    const time = new TimeLimit(this.#timeoutMs);
    // From now on the pool has its time, too, and closes before it is over.
    this.#mounted.endWaits(this.#timeoutMs);
    await time.of(this.#traffic.stop());
    await time.of(this.#traffic.answered());
    const report = await this.#mounted.close();
    await time.of(this.#traffic.gone());
    const cutRequests = this.#traffic.destroy();
    await this.#traffic.gone();
    time.end();
    this.#ignoreSignals();
    this.#traffic.unwatch();
    return { ...report, drained: report.drained && cutRequests === 0, cutRequests };
  }

  #ignoreSignals(): void {
    for (const signal of this.#signals) process.off(signal, this.#onSignal);
  }
}

class TimeLimit {
  readonly #isOver: Promise<void>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#isOver = new Promise((resolve) => {
      this.#timer = setTimeout(resolve, ms);
    });
  }

  /** Resolves with the promise, or when the time is over. */
  async of(promise: Promise<void>): Promise<void> {
    await Promise.race([promise, this.#isOver]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function checkSignals(signals: readonly unknown[]): void {
  const wrong = Array.isArray(signals) ? signals.find((signal) => !canBeHandled(signal)) : signals;
  if (wrong === undefined) return;
  throw invalidOption(
    `Option "signals" must be a list of signals that can be handled, received ${String(wrong)}`,
  );
}

function canBeHandled(signal: unknown): boolean {
  return Object.hasOwn(constants.signals, String(signal)) && signal !== 'SIGKILL' && signal !== 'SIGSTOP';
}
