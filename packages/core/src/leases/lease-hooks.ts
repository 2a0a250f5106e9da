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
  const signals = limits.signals.filter((signal) => signal !== undefined);
  let end = (): void => {};
  const limit = new Promise<never>((_, reject) => {
    const onAbort = (event: Event): void => reject((event.target as AbortSignal).reason);
    const timer = setTimeout(() => reject(onTimeout()), Math.max(1, timeoutMs));
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    end = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    await Promise.race([hook(context), limit]);
  } finally {
    end();
  }
}
