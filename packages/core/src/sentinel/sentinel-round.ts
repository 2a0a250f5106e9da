import type { Address } from '../options/resolved-options.js';
import type { SentinelAnswer } from './sentinel-replies.js';

/** After the first answer: how long slower Sentinels are waited for while less than half of them have answered. */
const GRACE_MS = 200;

/** What came of asking every Sentinel at once. */
export interface RoundResult {
  readonly answers: readonly SentinelAnswer[];
  readonly errors: readonly unknown[];
}

/**
 * Asks every Sentinel at once and resolves when more than half of them have answered, or all have answered or failed,
 * or shortly after the first answer: one that is frozen or far away holds up nobody. Never rejects; who is still being
 * asked then is called off.
 */
export function askAll(
  sentinels: readonly Address[],
  ask: (sentinel: Address, signal: AbortSignal) => Promise<SentinelAnswer>,
  signal: AbortSignal,
): Promise<RoundResult> {
  const callOff = new AbortController();
  const answers: SentinelAnswer[] = [];
  const errors: unknown[] = [];
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(timer);
      callOff.abort();
      resolve({ answers, errors });
    };
    const look = (): void => {
      const isMost = answers.length > sentinels.length / 2;
      if (isMost || answers.length + errors.length === sentinels.length) end();
      else if (answers.length > 0) timer ??= setTimeout(end, GRACE_MS);
    };
    const both = AbortSignal.any([signal, callOff.signal]);
    for (const sentinel of sentinels) {
      ask(sentinel, both)
        .then(
          (answer) => answers.push(answer),
          (error: unknown) => errors.push(error),
        )
        .then(look);
    }
  });
}
