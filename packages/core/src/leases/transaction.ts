import type { RedisPipeline } from '../commands/command-types.js';
import { isRedisPoolError, RedisPoolError } from '../errors/errors.js';
import type { PoolEngine } from '../pool-engine.js';
import type { RedisLease } from './lease.js';

/** What a transaction may be told. */
export interface TransactionOptions {
  /** Attempts after the first one, while a watched key changes. 0 is a value. @default 20 */
  readonly retries?: number | undefined;
}

/**
 * The function of a transaction. Commands on `read` run at once, on the watched connection; those on `queue` run
 * together when the function is done, or not at all.
 */
export type TransactionFunction = (read: RedisLease, queue: RedisPipeline) => unknown;

export interface TransactionSettings extends TransactionOptions {
  /** Waits between two attempts; rejects when there shall be no more. */
  pause(ms: number): Promise<void>;
}

const DEFAULT_RETRIES = 20;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;

/**
 * WATCH, the function, EXEC; again with a jittered pause while a watched key changes, up to `retries` times and the
 * deadline of one command.
 */
export async function runTransaction(
  engine: PoolEngine,
  lease: RedisLease,
  keys: readonly (string | Buffer)[],
  fn: TransactionFunction,
  { retries = DEFAULT_RETRIES, pause }: TransactionSettings,
): Promise<unknown[]> {
  const endsAt = performance.now() + engine.options.commandTimeoutMs;
  let hasWritten = false;
  for (let attempt = 0; ; attempt += 1) {
    const queue = lease.multi();
    const { writes } = lease;
    try {
      await lease.call('WATCH', [...keys]);
      await fn(lease, queue);
    } catch (error) {
      throw hasWritten || lease.writes > writes ? error : withoutEffect(lease, error);
    }
    hasWritten ||= lease.writes > writes;
    const replies = await attemptOnce(queue);
    if (replies !== undefined) return replies;
    engine.counters.conflicts += 1;
    const pauseMs = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
    if (attempt >= retries || performance.now() + pauseMs > endsAt)
      throw conflict(engine, keys.length, attempt + 1);
    await pause(pauseMs);
  }
}

/** The replies, or `undefined` after a conflict. */
async function attemptOnce(queue: RedisPipeline): Promise<unknown[] | undefined> {
  // MULTI alone stands in it: nothing to do, and what is watched is forgotten when the lease goes back.
  if (queue.length === 1) return [];
  try {
    return await queue.execOrThrow();
  } catch (error) {
    if (isRedisPoolError(error) && error.code === 'RP_ERR_CONFLICT') return undefined;
    throw error;
  }
}

/** Of a transaction that sent nothing but reads: one of them may have run, and nothing was written. */
function withoutEffect(lease: RedisLease, error: unknown): unknown {
  if (!isRedisPoolError(error) || error.maybeExecuted !== true || !lease.leftUnanswered(error)) return error;
  const { code, message, cause, timeSpent } = error;
  const details = cause === undefined ? { timeSpent } : { timeSpent, cause };
  return new RedisPoolError(code, `${message}; nothing that the transaction writes was sent`, {
    ...details,
    maybeExecuted: false,
  });
}

function conflict(engine: PoolEngine, keyCount: number, attempts: number): Error {
  const reason = `gave up a transaction over ${keyCount} keys: one of them changed at each of ${attempts} attempts (retries)`;
  return engine.error('RP_ERR_CONFLICT', reason, { maybeExecuted: false });
}
