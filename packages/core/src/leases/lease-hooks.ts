import { onAbort } from '../on-abort.js';
import type { HookContext, PoolHooks } from '../options/options.js';

type LeaseHook = NonNullable<PoolHooks['acquire']>;

/** Ends the wait for a hook that may hang. */
export interface HookLimits {
  readonly timeoutMs: number;
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly onTimeout: () => unknown;
}

/** Runs a hook; rejects with what it throws, at the limit, and with the reason of a signal that aborts. */
export async function runHook(hook: LeaseHook, context: HookContext, limits: HookLimits): Promise<void> {
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
