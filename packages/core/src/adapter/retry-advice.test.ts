import { describe, expect, test } from 'vitest';
import { ERROR_CODES, RedisPoolError, type RedisPoolErrorCode } from '../errors/errors.js';
import { retryAdvice } from './retry-advice.js';

const TRY_LATER: readonly RedisPoolErrorCode[] = [
  'RP_ERR_CONNECT',
  'RP_ERR_CONNECT_TIMEOUT',
  'RP_ERR_UNAVAILABLE',
  'RP_ERR_COMMAND_TIMEOUT',
  'RP_ERR_CONNECTION_LOST',
  'RP_ERR_ACQUIRE_TIMEOUT',
  'RP_ERR_QUEUE_FULL',
  'RP_ERR_CLOSING',
  'RP_ERR_CLOSED',
];
const OTHERS = (Object.keys(ERROR_CODES) as RedisPoolErrorCode[]).filter((code) => !TRY_LATER.includes(code));

describe('advice on when to try again', () => {
  test.each(TRY_LATER)('%s: in a second', (code) => {
    const { description: message } = ERROR_CODES[code];
    const body = { statusCode: 503, code, error: 'Service Unavailable', message };
    const advice = { statusCode: 503, retryAfterSeconds: 1, body };
    expect(retryAdvice(new RedisPoolError(code, 'of a test'))).toEqual(advice);
    // Whether twice is harmless is for the client to know.
    expect(retryAdvice(new RedisPoolError(code, 'of a test', { maybeExecuted: true }))).toEqual(advice);
  });

  test.each(OTHERS)('%s: none', (code) => {
    expect(retryAdvice(new RedisPoolError(code, 'of a test'))).toBe(undefined);
  });

  test.each([
    Object.assign(new Error('busy'), { statusCode: 503 }),
    Object.assign(new Error('busy'), { statusCode: 503, code: 'RP_ERR_UNAVAILABLE' }),
    new Error('WRONGTYPE'),
    'RP_ERR_UNAVAILABLE',
    undefined,
    null,
  ])('errors of others: none (%o)', (error) => {
    expect(retryAdvice(error)).toBe(undefined);
  });
});
