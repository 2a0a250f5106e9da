import { randomUUID } from 'node:crypto';
import type { Redis } from './scripts.js';

export interface JobOrder {
  readonly text: string;
  /** How long the work takes. */
  readonly durationMs: number;
}

export interface Job {
  readonly id: string;
  readonly state: string;
  readonly text: string;
  /** How often a worker began it; more than once when one died. */
  readonly attempts: number;
  readonly result: string | null;
}

/** The queue, a stream; a job stays in it until it is done, whoever has it. */
export const JOB_QUEUE = 'jobs';
const KEEP_SECONDS = 86_400;

/** Stores the job `job:<id>` and queues it, both or neither. */
export async function addJob(redis: Redis, { text, durationMs }: JobOrder): Promise<Job> {
  const id = randomUUID();
  await redis
    .multi()
    .hset(jobKey(id), { state: 'queued', text })
    .expire(jobKey(id), KEEP_SECONDS)
    .xadd(JOB_QUEUE, '*', 'id', id, 'text', text, 'durationMs', durationMs)
    .execOrThrow();
  return { id, state: 'queued', text, attempts: 0, result: null };
}

export async function findJob(redis: Redis, id: string): Promise<Job | undefined> {
  const { state, text, attempts = 0, result = null } = await redis.hgetall(jobKey(id));
  if (state === undefined || text === undefined) return undefined;
  return { id, state, text, attempts: Number(attempts), result };
}

export function jobKey(id: string): string {
  return `job:${id}`;
}
