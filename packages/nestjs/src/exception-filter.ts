import {
  type ArgumentsHost,
  Catch,
  Inject,
  Injectable,
  Logger,
  ServiceUnavailableException,
} from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { RedisPoolError } from '@redis-pool/core';
import { retryAdvice } from '@redis-pool/core/adapter';

/** A reply of Fastify has `header`; a response of `node:http`, as Express and middleware have it, `setHeader`. */
interface ResponseLike {
  hasHeader(name: string): boolean;
  header(name: string, value: number): unknown;
  setHeader?(name: string, value: number): unknown;
}

/**
 * Answers the errors of a pool that say "try later" with 503 and `Retry-After`. The module registers it behind all
 * filters of the application; to have it before a filter that catches everything, register it again, after that one.
 *
 * Messages, sockets and resolvers are left to Nest.
 */
@Injectable()
@Catch(RedisPoolError)
export class RedisPoolExceptionFilter extends BaseExceptionFilter {
  protected override readonly httpAdapterHost: HttpAdapterHost;
  readonly #logger = new Logger('RedisPool');

  constructor(@Inject(HttpAdapterHost) httpAdapterHost: HttpAdapterHost) {
    super();
    this.httpAdapterHost = httpAdapterHost;
  }

  override catch(error: RedisPoolError, host: ArgumentsHost): void {
    // For Nest, no result says that nobody has answered yet.
    if (host.getType() !== 'http') return;
    const advice = retryAdvice(error);
    if (advice === undefined) {
      super.catch(error, host);
      return;
    }
    const response = host.getArgByIndex<ResponseLike>(1);
    const isSent = this.httpAdapterHost.httpAdapter.isHeadersSent(response);
    if (!isSent && !response.hasHeader('retry-after')) setRetryAfter(response, advice.retryAfterSeconds);
    // As Nest does it with errors that are no HttpException. What the client gets has no address of a server in it.
    this.#logger.error(error.message, error.stack);
    super.catch(new ServiceUnavailableException(undefined, { cause: error }), host);
  }
}

function setRetryAfter(response: ResponseLike, seconds: number): void {
  if (response.setHeader !== undefined) response.setHeader('retry-after', seconds);
  else response.header('retry-after', seconds);
}
