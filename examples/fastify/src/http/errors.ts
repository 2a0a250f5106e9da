import { STATUS_CODES } from 'node:http';
import { isRedisPoolError } from '@redis-pool/core';
import type { FastifyError, FastifyInstance } from 'fastify';

/** Answers errors alike, and tells no client what is inside: `{ "error": "Service Unavailable" }`. */
export function answerErrors(app: FastifyInstance): void {
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: STATUS_CODES[404] }));
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    // The client left while its request waited: nobody is there to be answered, and nothing is wrong.
    if (error.name === 'AbortError' && reply.raw.destroyed) return reply.hijack();
    const status = statusOf(error);
    if (status === 500) request.log.error(error);
    if (status === 503) reply.header('retry-after', reply.getHeader('retry-after') ?? '1');
    const fields = status === 400 ? { fields: fieldsOf(error) } : {};
    return reply.code(status).send({ error: STATUS_CODES[status], ...fields });
  });
}

function statusOf(error: FastifyError): number {
  // Too many others wanted to write the same: later there are fewer.
  if (isRedisPoolError(error) && error.code === 'RP_ERR_CONFLICT') return 503;
  const { statusCode = 500 } = error;
  return statusCode in STATUS_CODES ? statusCode : 500;
}

/** Which members of the body or the path are wrong. */
function fieldsOf({ validation = [] }: FastifyError): string[] {
  const names = validation.map(({ instancePath, params }) => {
    const [, name = String(params.missingProperty ?? '')] = instancePath.split('/');
    return name;
  });
  return [...new Set(names)].filter((name) => name !== '').sort();
}
