import { isRedisPoolError } from '@redis-pool/core';

/**
 * What a caller was told about its write.
 * - `acknowledged`: the server did it.
 * - `never`: the server did not do it and will not.
 * - `maybe`: nobody knows.
 */
export type End = 'open' | 'acknowledged' | 'never' | 'maybe';

/** The reason of every abort of a run. */
export const ABORTED = new Error('The caller of this chaos run has gone');

/** What an error says about the write that it ended; an abort says nothing. */
export function endOf(error: unknown): End {
  if (error === ABORTED) return 'maybe';
  if (isRedisPoolError(error)) return error.maybeExecuted === false ? 'never' : 'maybe';
  // A chain whose MULTI was refused says that its commands ran all the same.
  return isErrorReply(error) && Reflect.get(error, 'maybeExecuted') !== true ? 'never' : 'maybe';
}

export function isErrorReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** By what an error is counted: its code, the first word of an error reply, or what it is. */
export function labelOf(error: unknown): string {
  if (error === ABORTED) return 'aborted';
  if (isRedisPoolError(error)) return error.code;
  if (isErrorReply(error)) return error.message.split(' ', 1)[0] ?? 'ERR';
  return error instanceof Error ? error.name : typeof error;
}
