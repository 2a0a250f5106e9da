import type { ServerResponse } from 'node:http';
import { type ArgumentsHost, Catch, HttpException, Inject, Injectable, Logger } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { RedisPoolError } from '@redis-pool/core';
import { AbortError, isClientGone, retryAdvice } from '@redis-pool/core/adapter';

/** The response of `node:http`, also as Express extends it, or a reply of Fastify, which has one. */
type PlatformResponse = ServerResponse | (HeaderTarget & { readonly raw: ServerResponse });

interface HeaderTarget {
  hasHeader(name: string): boolean;
  header(name: string, value: number): unknown;
}

/**
 * Answers the errors of a pool that say "try later" with 503 and `Retry-After`. The module registers it behind all
 * filters of the application; to have it before a filter that catches everything, register it again, after that one.
 * Errors that say no more than that the client hung up are dropped.
 *
 * Messages, sockets and resolvers are left to Nest.
 */
@Injectable()
@Catch(RedisPoolError, AbortError)
export class RedisPoolExceptionFilter extends BaseExceptionFilter {
  protected override readonly httpAdapterHost: HttpAdapterHost;
  readonly #logger = new Logger('RedisPool');

  constructor(@Inject(HttpAdapterHost) httpAdapterHost: HttpAdapterHost) {
    super();
    this.httpAdapterHost = httpAdapterHost;
  }

  override catch(error: RedisPoolError | AbortError, host: ArgumentsHost): void {
    // For Nest, no result says that nobody has answered yet.
    if (host.getType() !== 'http') return;
    if (isClientGone(error)) return;
    const advice = retryAdvice(error);
    if (advice === undefined) {
      super.catch(error, host);
      return;
    }
    // As Nest does it with errors that are no HttpException. What the client gets has no address of a server in it.
    this.#logger.error(error.message, error.stack);
    const response = host.getArgByIndex<PlatformResponse>(1);
    const { statusCode, retryAfterSeconds, body } = advice;
    const raw = 'raw' in response ? response.raw : response;
    // A stream that breaks off; Nest does not see that of a reply of Fastify.
    if (raw.headersSent) raw.end();
    else {
      if (!response.hasHeader('retry-after')) setRetryAfter(response, retryAfterSeconds);
      super.catch(new HttpException(body, statusCode), host);
    }
  }
}

function setRetryAfter(response: PlatformResponse, seconds: number): void {
  if ('raw' in response) response.header('retry-after', seconds);
  else response.setHeader('retry-after', seconds);
}
