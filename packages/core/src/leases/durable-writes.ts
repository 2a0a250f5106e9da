import type { RedisPipeline } from '../commands/command-types.js';
import type { RedisLease } from './lease.js';

/** How many replicas have to have the writes, and how long to wait for them. */
export interface DurableOptions {
  /** From 1. */
  readonly replicas: number;
  /** Longest wait for them, ms, from 1. */
  readonly timeoutMs: number;
  /** On a cluster, and only there: a key of those that are written, see `lease()`. */
  readonly key?: string | Buffer | undefined;
}

/** What came of durable writes. */
export interface DurableResult {
  /** Replies of the writes, in order. */
  readonly replies: unknown[];
  /** Replicas that had all of them in time; fewer than asked for is no error. */
  readonly replicas: number;
}

export type DurableFunction = (queue: RedisPipeline) => unknown;

/** Writes and WAIT in one piece on one connection: on another one WAIT would answer for nothing. */
export async function runDurably(
  lease: RedisLease,
  fn: DurableFunction,
  { replicas, timeoutMs }: DurableOptions,
): Promise<DurableResult> {
  const queue = lease.pipeline();
  await fn(queue);
  const replies = await queue.call('WAIT', `${replicas}`, `${timeoutMs}`).execOrThrow();
  const reached = replies.pop();
  return { replies, replicas: Number(reached) };
}
