import { RedisPoolError } from '../errors/errors.js';
import { describeValue } from './option-rules.js';

/** What one connection is reckoned to serve in a second. */
const REQUESTS_PER_CONNECTION = 1_000;

/**
 * A starting value for `maxConnections`: `ceil(requestsPerSecond / 1000) + buffer`.
 *
 * 0 requests per second is `buffer`. A rule of thumb for exclusive connections, not a limit: plain commands share
 * one lane whatever their number. `maxConnections` itself takes no less than 2.
 *
 * @param requestsPerSecond - Peak requests per second of one process: 0 or more, fractions allowed.
 * @param buffer - Connections on top, a whole number from 0. Default 5.
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION`, synchronously, for anything else.
 * @example
 * ```ts
 * recommendedConnections(2_500); // 8
 * ```
 */
export function recommendedConnections(requestsPerSecond: number, buffer = 5): number {
  if (!isInRange(requestsPerSecond)) {
    throw invalidArgument('requestsPerSecond', 'a finite number from 0', requestsPerSecond);
  }
  if (!isInRange(buffer) || !Number.isInteger(buffer)) {
    throw invalidArgument('buffer', 'an integer from 0', buffer);
  }
  return Math.ceil(requestsPerSecond / REQUESTS_PER_CONNECTION) + buffer;
}

function isInRange(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function invalidArgument(name: string, rule: string, value: unknown): RedisPoolError {
  const message = `Argument "${name}" must be ${rule}, received ${describeValue(value)}`;
  return new RedisPoolError('RP_ERR_INVALID_OPTION', message);
}
