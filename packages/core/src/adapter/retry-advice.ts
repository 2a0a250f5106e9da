import { STATUS_CODES } from 'node:http';
import { ERROR_CODES, isRedisPoolError, type RedisPoolErrorCode } from '../errors/errors.js';

/** How an error that says "try later" is answered over HTTP. */
export interface RetryAdvice {
  readonly statusCode: 503;
  /** Value of the `Retry-After` header (RFC 9110, section 10.2.3), in seconds. */
  readonly retryAfterSeconds: number;
  /** What a client may know; not the message of the error, which names options, addresses or places in the code. */
  readonly body: {
    readonly statusCode: 503;
    readonly code: RedisPoolErrorCode;
    readonly error: string;
    readonly message: string;
  };
}

const RETRY_AFTER_SECONDS = 1;

/** `undefined` for errors of any other kind. */
export function retryAdvice(error: unknown): RetryAdvice | undefined {
  if (!isRedisPoolError(error) || error.statusCode !== 503) return undefined;
  const { code } = error;
  const message = ERROR_CODES[code].description;
  return {
    statusCode: 503,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    body: { statusCode: 503, code, error: STATUS_CODES[503] as string, message },
  };
}
