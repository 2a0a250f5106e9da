import { isClientGone, retryAdvice } from '@redis-pool/core/adapter';
import type { ErrorRequestHandler } from 'express';

/**
 * Drops those of clients that hung up; passes on errors of any other kind, and those that come when the answer has
 * begun.
 */
export const answerTryLater: ErrorRequestHandler = (error, _request, response, next) => {
  if (isClientGone(error)) return;
  const advice = retryAdvice(error);
  if (advice === undefined || response.headersSent) {
    next(error);
    return;
  }
  const { statusCode, retryAfterSeconds, body } = advice;
  if (!response.hasHeader('retry-after')) response.setHeader('retry-after', retryAfterSeconds);
  response.status(statusCode).json(body);
};
