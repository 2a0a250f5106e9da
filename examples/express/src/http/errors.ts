import { STATUS_CODES } from 'node:http';
import { isRedisPoolError } from '@redis-pool/core';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { InvalidRequest } from './validation.js';

/** Answers errors alike, and tells no client what is inside: `{ "error": "Service Unavailable" }`. */
export function answerErrors(log: Logger): ErrorRequestHandler {
  return (error, _request, response, next) => {
    // The client left while its request waited: nobody is there to be answered, and nothing is wrong.
    if (error.name === 'AbortError' && response.destroyed) return;
    const status = statusOf(error);
    if (status === 500) log.error(error);
    // An answer that has begun cannot become another one: Express cuts it.
    if (response.headersSent) {
      next(error);
      return;
    }
    if (status === 503) response.set('retry-after', '1');
    const fields = error instanceof InvalidRequest ? error.fields : [];
    response.status(status).json({ error: STATUS_CODES[status], ...(status === 400 ? { fields } : {}) });
  };
}

export const answerNotFound: RequestHandler = (_request, response) => {
  response.status(404).json({ error: STATUS_CODES[404] });
};

function statusOf(error: { readonly statusCode?: unknown }): number {
  // Too many others wanted to write the same: later there are fewer.
  if (isRedisPoolError(error) && error.code === 'RP_ERR_CONFLICT') return 503;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode in STATUS_CODES ? statusCode : 500;
}
