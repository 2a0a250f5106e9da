import { setTimeout as sleep } from 'node:timers/promises';
import type { JobOrder } from './jobs.js';

/** What the jobs of this example do. Yours do something else, and stop when the signal aborts. */
export async function countWords({ text, durationMs }: JobOrder, signal: AbortSignal): Promise<string> {
  await sleep(durationMs, undefined, { signal });
  const words = text.trim().split(/\s+/).length;
  return `${words} ${words === 1 ? 'word' : 'words'}`;
}
