import { AbortError, CLIENT_CLOSED_REQUEST } from '../errors/abort-error.js';

export { AbortError };

/** Whether an error says no more than that the client hung up: nobody is there to be answered, and nothing is wrong. */
export function isClientGone(error: unknown): boolean {
  return error instanceof AbortError && error.statusCode === CLIENT_CLOSED_REQUEST;
}
