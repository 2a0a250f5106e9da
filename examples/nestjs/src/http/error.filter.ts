import { STATUS_CODES } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { isRedisPoolError } from '@redis-pool/core';
import type { Response } from 'express';
import { InvalidRequest } from './validation.js';

/** Answers errors alike, and tells no client what is inside: `{ "error": "Service Unavailable" }`. */
@Catch()
export class ErrorFilter implements ExceptionFilter<unknown> {
  readonly #logger = new Logger('Request');

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    // The client left while its request waited: nobody is there to be answered, and nothing is wrong.
    if (error instanceof Error && error.name === 'AbortError' && response.destroyed) return;
    const status = statusOf(error);
    if (status === 500) this.#logger.error(error);
    // An answer that has begun cannot become another one.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (status === 503) response.setHeader('retry-after', '1');
    response.status(status).json(bodyOf(error, status));
  }
}

function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  if (isRedisPoolError(error)) {
    // Too many others wanted to write the same: later there are fewer.
    return error.code === 'RP_ERR_CONFLICT' ? 503 : (error.statusCode ?? 500);
  }
  // Those of the body parser.
  const { statusCode } = error as { readonly statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode in STATUS_CODES ? statusCode : 500;
}

function bodyOf(error: unknown, status: number): object {
  const own = error instanceof HttpException ? error.getResponse() : undefined;
  if (typeof own === 'object' && 'error' in own && !('statusCode' in own)) return own;
  const fields = status === 400 ? { fields: error instanceof InvalidRequest ? error.fields : [] } : {};
  return { error: STATUS_CODES[status], ...fields };
}
