import { isRedisPoolError } from '../errors/errors.js';

/** How an error that says "try later" is answered over HTTP. */
export interface RetryAdvice {
  readonly statusCode: 503;
  /** Value of the `Retry-After` header (RFC 9110, section 10.2.3), in seconds. */
  readonly retryAfterSeconds: number;
}

const RETRY_AFTER_SECONDS = 1;

/** `undefined` for errors of any other kind. */
export function retryAdvice(error: unknown): RetryAdvice | undefined {
  if (!isRedisPoolError(error) || error.statusCode !== 503) return undefined;
  return { statusCode: 503, retryAfterSeconds: RETRY_AFTER_SECONDS };
}
