import { onAbort } from '../on-abort.js';
import type { HookContext, PoolHooks } from '../options/options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { LeaseReports } from './lease-reports.js';

type LeaseHook = NonNullable<PoolHooks['acquire']>;

/** The hooks of the application around a lease; neither may hold anybody up for ever. */
export class LeaseHooks {
  readonly #options: ResolvedOptions;
  readonly #reports: LeaseReports;

  constructor(options: ResolvedOptions, reports: LeaseReports) {
    this.#options = options;
    this.#reports = reports;
  }

  /** Rejects with what the hook throws, at the limit, and with the reason of a signal. */
  async acquire(timeoutMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const { hooks, name } = this.#options;
    const onTimeout = (): unknown => this.#reports.hookHangs();
    if (hooks.acquire !== undefined)
      await runHook(hooks.acquire, { pool: name }, { timeoutMs, signals, onTimeout });
  }

  /** Never rejects, and waits no longer than a command may take, nor beyond the end of the pool. */
  async release(end: AbortSignal): Promise<void> {
    const { hooks, logger, name, commandTimeoutMs: timeoutMs } = this.#options;
    if (hooks.release === undefined) return;
    const onTimeout = (): Error => new Error(`It still runs after ${timeoutMs} ms (commandTimeoutMs)`);
    try {
      await runHook(hooks.release, { pool: name }, { timeoutMs, signals: [end], onTimeout });
    } catch (error) {
      if (error === end.reason) return;
      logger.error({ pool: name, err: error }, `The hook "release" of Redis pool "${name}" failed`);
    }
  }
}

/** Ends the wait for a hook that may hang. */
interface HookLimits {
  readonly timeoutMs: number;
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly onTimeout: () => unknown;
}

/** Runs a hook; rejects with what it throws, at the limit, and with the reason of a signal that aborts. */
async function runHook(hook: LeaseHook, context: HookContext, limits: HookLimits): Promise<void> {
  const { timeoutMs, onTimeout } = limits;
  let end = (): void => {};
  const limit = new Promise<never>((_, reject) => {
    const unwatch = limits.signals.map((signal) => onAbort(signal, () => reject(signal?.reason)));
    for (const signal of limits.signals) if (signal?.aborted) reject(signal.reason);
    const timer = setTimeout(() => reject(onTimeout()), Math.max(1, timeoutMs));
    end = () => {
      clearTimeout(timer);
      for (const stop of unwatch) stop();
    };
  });
  // The hook may throw before anybody listens.
  limit.catch(() => {});
  try {
    await Promise.race([hook(context), limit]);
  } finally {
    end();
  }
}
