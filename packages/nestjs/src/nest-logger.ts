import { inspect } from 'node:util';
import { Logger } from '@nestjs/common';
import type { Logger as PoolLogger } from '@redis-pool/core';

/** Nest's logger, as a pool wants one. */
export function nestLogger(): PoolLogger {
  const logger = new Logger('RedisPool');
  return {
    debug: (fields, message) => logger.debug(line(fields, message)),
    info: (fields, message) => logger.log(line(fields, message)),
    warn: (fields, message) => logger.warn(line(fields, message)),
    error: (fields, message) => logger.error(line(fields, message), stackOf(fields)),
  };
}

// One line of text, which every logger of Nest takes. The message names the pool.
function line(fields: object, message: string): string {
  const { pool, err, ...rest } = fields as { readonly pool?: unknown; readonly err?: unknown };
  return Object.keys(rest).length === 0 ? message : `${message} ${inspect(rest, { breakLength: Infinity })}`;
}

function stackOf(fields: object): string | undefined {
  const { err } = fields as { readonly err?: unknown };
  return err instanceof Error ? err.stack : undefined;
}
