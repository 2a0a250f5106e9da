import { setTimeout as sleep } from 'node:timers/promises';
import { withTimeLimit } from './time-limit.js';

const POLL_MS = 5;

/** Options of {@link waitUntil}. */
export interface WaitOptions {
  /** Milliseconds until the wait fails. 0 checks once. @default 5000 */
  readonly timeoutMs?: number;
  /** What is waited for; the error says it. */
  readonly what: string;
}

type Falsy = false | 0 | '' | null | undefined;

/**
 * Polls `condition` until it gives a truthy value, and resolves with that value.
 * A condition that throws or rejects ends the wait at once with its own error; one that hangs is given up
 * at the time limit.
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 5_000, what }: WaitOptions,
): Promise<Exclude<T, Falsy>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await evaluate(condition, { timeoutMs: deadline - performance.now(), what });
    if (value) return value as Exclude<T, Falsy>;
    if (performance.now() >= deadline) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await sleep(POLL_MS);
  }
}

// A synchronous condition gets no timer: conditions that count the timers of the process must not count ours.
function evaluate<T>(condition: () => T | Promise<T>, { timeoutMs, what }: Required<WaitOptions>) {
  const value = condition();
  if (!(value instanceof Promise)) return value;
  return withTimeLimit(value, { timeoutMs: Math.max(timeoutMs, 1), what: `Checking that ${what}` });
}
