import type { RedisPoolError } from '@redis-pool/core';
import { retryAdvice } from '@redis-pool/core/adapter';
import type { ErrorRequestHandler } from 'express';

/** Passes on errors of any other kind, and those that come when the answer has begun. */
export const answerTryLater: ErrorRequestHandler = (error, _request, response, next) => {
  const advice = retryAdvice(error);
  if (advice === undefined || response.headersSent) {
    next(error);
    return;
  }
  const { statusCode, retryAfterSeconds } = advice;
  if (!response.hasHeader('retry-after')) response.setHeader('retry-after', retryAfterSeconds);
  // Not its message, which names the server's address.
  const { code } = error as RedisPoolError;
  response.status(statusCode).json({ statusCode, code, error: 'Service Unavailable' });
};
