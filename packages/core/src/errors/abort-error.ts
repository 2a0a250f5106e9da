/** "Client Closed Request", as nginx has it: never seen by a client, and no fault of the server in its logs. */
export const CLIENT_CLOSED_REQUEST = 499;

/**
 * What still waits is rejected with when nobody wants it any more. Told by its name and code, as the errors of Node's
 * own functions are; a `DOMException` would fill a log line with the table of all its codes.
 */
export class AbortError extends Error {
  override readonly name = 'AbortError';
  readonly code = 'ABORT_ERR';
  /** 499 when the client hung up; otherwise there is no such property. */
  declare readonly statusCode?: number;

  constructor(message: string, statusCode?: number) {
    super(message);
    if (statusCode !== undefined) this.statusCode = statusCode;
  }
}
