import { RedisPoolError } from '../errors/errors.js';
import type { DurableOptions } from './durable-writes.js';
import type { AcquireOptions } from './leases.js';
import type { TransactionOptions } from './transaction.js';

const LONGEST_MS = 2_147_483_647;

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkAcquire({ timeoutMs }: AcquireOptions): void {
  if (timeoutMs !== undefined) checkInteger('timeoutMs', timeoutMs, 1, LONGEST_MS);
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkTransaction(keys: readonly unknown[], { retries }: TransactionOptions): void {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw invalid(
      'keys',
      'an array of at least one key',
      Array.isArray(keys) ? 'an empty array' : typeof keys,
    );
  }
  if (retries !== undefined) checkInteger('retries', retries, 0, 1_000_000);
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkDurability({ replicas, timeoutMs }: DurableOptions): void {
  checkInteger('replicas', replicas, 1, 1_000);
  checkInteger('timeoutMs', timeoutMs, 1, LONGEST_MS);
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkReady(timeoutMs: number): void {
  checkInteger('timeoutMs', timeoutMs, 1, LONGEST_MS);
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` */
export function checkClose(timeoutMs: number): void {
  checkInteger('timeoutMs', timeoutMs, 0, LONGEST_MS);
}

function checkInteger(name: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw invalid(name, `an integer from ${least} to ${most}`, String(value));
}

function invalid(name: string, rule: string, received: string): RedisPoolError {
  return new RedisPoolError(
    'RP_ERR_INVALID_OPTION',
    `Option "${name}" must be ${rule}, received ${received}`,
  );
}
