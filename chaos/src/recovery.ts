import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageLoad } from './load/messages.js';
import type { Session } from './load/session.js';
import { settle, writeKey } from './load/writes.js';

const TRY_EVERY_MS = 10;
const TRY_FOR_MS = 500;

/** How long it took until everything worked again, ms; `undefined`: not within the limit. */
export interface Recovery {
  readonly lanesMs: number | undefined;
  readonly leasesMs: number | undefined;
  readonly subscriberMs: number | undefined;
}

export function isRecovered(recovery: Recovery): boolean {
  return slowest(recovery) !== undefined;
}

/** The time until the last of them worked. */
export function slowest({ lanesMs, leasesMs, subscriberMs }: Recovery): number | undefined {
  if (lanesMs === undefined || leasesMs === undefined || subscriberMs === undefined) return undefined;
  return Math.max(lanesMs, leasesMs, subscriberMs);
}

/** Tries a write, a lease and a message again and again, until each has worked once. */
export async function awaitRecovery(
  session: Session,
  messages: MessageLoad,
  limitMs: number,
): Promise<Recovery> {
  const until = (attempt: () => Promise<boolean>) => untilWorks(attempt, limitMs);
  const [lanesMs, leasesMs, subscriberMs] = await Promise.all([
    until(() => writes(session)),
    until(() => leases(session)),
    until(() => hears(messages)),
  ]);
  return { lanesMs, leasesMs, subscriberMs };
}

async function untilWorks(attempt: () => Promise<boolean>, limitMs: number): Promise<number | undefined> {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  while (elapsed() < limitMs) {
    if (await attempt()) return Math.round(elapsed());
    await sleep(TRY_EVERY_MS);
  }
  return undefined;
}

async function writes(session: Session): Promise<boolean> {
  const { writes, step } = session.parts;
  const id = writes.begin(step());
  const reply = session.pool.scope({ timeoutMs: TRY_FOR_MS }).hincrby(writeKey(id), String(id), 1);
  const outcome = await session.call(reply, { what: 'a write after a fault', limitMs: TRY_FOR_MS });
  settle(session, [id], outcome, 'a write after a fault', (value) => value === 1);
  return 'value' in outcome;
}

/** Each lease that may still be idle on a dead connection costs the time of one command. */
async function leases({ pool }: Session): Promise<boolean> {
  try {
    return (await pool.lease((lease) => lease.ping(), { timeoutMs: TRY_FOR_MS })) === 'PONG';
  } catch {
    return false;
  }
}

async function hears(messages: MessageLoad): Promise<boolean> {
  if (messages.subscriptions < 2) return false;
  const number = await messages.publish();
  if (number === undefined) return false;
  const until = performance.now() + TRY_FOR_MS;
  while (performance.now() < until && messages.subscriptions === 2 && messages.seenByAll < number)
    await sleep(1);
  return messages.seenByAll >= number;
}
