import type { PoolCommand } from '../commands/command.js';
import { isReadOnly } from '../commands/routing.js';
import { divideTime, type TimeSpent, type Waiting } from '../errors/time-spent.js';
import { onAbort } from '../on-abort.js';
import type { PoolEngine } from '../pool-engine.js';
import type { BoundedAction, Bounds } from './bounds.js';
import type { EndReason } from './end-reason.js';
import type { OnHangUp, ScopeEnd } from './scope-options.js';

/** Something that a scope may have to end. */
interface Limited {
  readonly kind: 'command' | Bounds['kind'];
  /** Whether the server may have seen it. */
  readonly isSent: boolean;
  /** Whether its outcome is wanted also by a client that is gone: once it was sent, a write is left to finish. */
  readonly writes: boolean;
  readonly startedAt: number;
  /** What it is waiting for. */
  readonly waiting: Waiting;
  end(error: unknown): void;
}

class LimitedCommand implements Limited {
  readonly #command: PoolCommand;

  constructor(command: PoolCommand) {
    this.#command = command;
  }

  get kind(): 'command' {
    return 'command';
  }

  get isSent(): boolean {
    return this.#command.owner !== undefined;
  }

  get writes(): boolean {
    const { batch, profile, args } = this.#command;
    return batch !== undefined || !isReadOnly(profile, args);
  }

  get startedAt(): number {
    return this.#command.startedAt;
  }

  get waiting(): Waiting {
    return this.#command.owner?.waiting(this.#command) ?? { last: 'connectionMs' };
  }

  end(error: unknown): void {
    this.#command.fail(error);
  }
}

/** What a scope is bound to; see `ScopeOptions`. */
export interface LimitTerms {
  readonly label: () => string;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly onHangUp: OnHangUp;
  readonly timed: boolean;
  /** Ends what waits at the server, with the handle that the scope was made of. */
  readonly waits: AbortSignal;
}

/**
 * - `open`
 * - `over`: nothing waits for something that may never come any more; the rest goes on.
 * - `cut`: nothing starts any more.
 */
type Phase = { readonly tag: 'open' } | { readonly tag: 'over' | 'cut'; readonly reason: EndReason };

/**
 * Ends what one scope has running: at its deadline and on its abort signal all of it, when its client is gone as
 * `onHangUp` says. A command that was sent is only detached from its caller (law 1); one that still waits for a
 * connection is never sent.
 */
export class ScopeLimit {
  readonly #engine: PoolEngine;
  readonly #terms: LimitTerms;
  readonly #timeoutMs: number;
  readonly #endsAt: number;
  readonly #running = new Set<Limited>();
  /** Whether plain commands have to be watched, too. */
  readonly #tracks: boolean;
  #phase: Phase = { tag: 'open' };
  #timer: NodeJS.Timeout | undefined;
  #unwatch: () => void = () => {};
  #waitedMs = 0;
  #waitsSince = 0;

  constructor(engine: PoolEngine, terms: LimitTerms) {
    const { signal, timeoutMs, onHangUp, timed } = terms;
    this.#engine = engine;
    this.#terms = terms;
    this.#timeoutMs = timeoutMs ?? Number.POSITIVE_INFINITY;
    this.#endsAt = timeoutMs === undefined ? this.#timeoutMs : performance.now() + timeoutMs;
    this.#tracks = signal !== undefined || timeoutMs !== undefined || onHangUp === 'abort' || timed;
  }

  get waitedMs(): number {
    if (!this.#terms.timed) return 0;
    const open = this.#running.size > 0 ? performance.now() - this.#waitsSince : 0;
    return this.#waitedMs + open;
  }

  /** Why nothing may start any more, if so. */
  refusal(): unknown {
    if (this.#phase.tag === 'cut') return this.#phase.reason.value;
    if (!this.#tracks) return undefined;
    const { signal } = this.#terms;
    if (signal?.aborted) return signal.reason;
    return performance.now() >= this.#endsAt ? this.#timeoutError(undefined) : undefined;
  }

  /** Why nothing that waits at the server may start any more, if so. */
  refusalToWait(): unknown {
    if (this.#phase.tag !== 'open') return this.#phase.reason.value;
    const { waits } = this.#terms;
    return this.refusal() ?? (waits.aborted ? waits.reason : undefined);
  }

  /** Watches a command until it is settled, where something may have to end it. */
  track(command: PoolCommand): void {
    if (!this.#tracks) return;
    const { onFulfilled, onRejected } = command;
    const limited = new LimitedCommand(command);
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

  /** Runs something that ends itself, in its own way, with a signal. The caller's own is not aborted yet. */
  async run<T>(action: BoundedAction<T>, { kind, waitsFor, signal, isSent = never }: Bounds): Promise<T> {
    const refusal = kind === 'parked' ? this.refusalToWait() : this.refusal();
    if (refusal !== undefined) throw refusal;
    const controller = new AbortController();
    const engine = this.#engine;
    const limited: Limited = {
      kind,
      get isSent() {
        return isSent();
      },
      writes: false,
      startedAt: performance.now(),
      get waiting(): Waiting {
        if (isSent()) return { last: 'serverMs' };
        return { last: engine.isUp ? waitsFor : 'connectionMs' };
      },
      end: (error) => controller.abort(error),
    };
    const { waits } = this.#terms;
    const unwatchCaller = onAbort(signal, () => controller.abort(signal?.reason));
    const unwatchWaits = onAbort(kind === 'parked' ? waits : undefined, () => controller.abort(waits.reason));
    this.#add(limited);
    try {
      return await action(controller.signal);
    } finally {
      unwatchCaller();
      unwatchWaits();
      this.#remove(limited);
    }
  }

  /** Ends what waits at the server, and after a hang-up with `abort` whatever need not finish. */
  end({ hungUp = false }: ScopeEnd, reason: EndReason): void {
    const isCut = hungUp && this.#terms.onHangUp === 'abort';
    if (this.#phase.tag === 'cut' || (this.#phase.tag === 'over' && !isCut)) return;
    this.#phase = { tag: isCut ? 'cut' : 'over', reason };
    for (const limited of [...this.#running]) {
      const isLeft = limited.isSent && limited.writes;
      if (limited.kind === 'parked' || (isCut && !isLeft)) limited.end(reason.value);
    }
  }

  // Listener and timer exist only while something runs.
  #add(limited: Limited): void {
    this.#running.add(limited);
    if (this.#running.size > 1) return;
    this.#unwatch = onAbort(this.#terms.signal, this.#onAbort);
    if (this.#terms.timed) this.#waitsSince = performance.now();
    if (Number.isFinite(this.#endsAt)) {
      this.#timer = setTimeout(this.#onDeadline, Math.max(1, this.#endsAt - performance.now()));
    }
  }

  #remove(limited: Limited): void {
    if (!this.#running.delete(limited) || this.#running.size > 0) return;
    this.#unwatch();
    if (this.#terms.timed) this.#waitedMs += performance.now() - this.#waitsSince;
    clearTimeout(this.#timer);
  }

  readonly #onAbort = (): void => {
    for (const limited of [...this.#running]) limited.end(this.#terms.signal?.reason);
  };

  // One turn later: replies that lie in the socket already are in time.
  readonly #onDeadline = (): void => {
    setImmediate(() => {
      for (const limited of [...this.#running]) limited.end(this.#timeoutError(limited));
    });
  };

  /** `late`: what is still running; without it nothing was started, and no time went. */
  #timeoutError(late: Limited | undefined): Error {
    const reason = `ended a command of ${this.#terms.label()}: its timeoutMs of ${this.#timeoutMs} passed`;
    const timeSpent = late === undefined ? undefined : this.#timeSpent(late);
    const maybeExecuted = late?.isSent ?? false;
    return this.#engine.error('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted, timeSpent });
  }

  #timeSpent({ startedAt, waiting }: Limited): TimeSpent {
    const now = performance.now();
    const blockedMs = this.#engine.delay.blockedSince(startedAt, now);
    return divideTime({ elapsedMs: now - startedAt, blockedMs, ...waiting });
  }
}

function never(): boolean {
  return false;
}
