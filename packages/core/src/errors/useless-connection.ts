/** A script that writes quotes the refusal of its command; what waits when the server becomes a replica is let go. */
const READ_ONLY = /^READONLY\b|-READONLY\b|^UNBLOCKED force unblock/;
const NOT_AUTHENTICATED = /^NOAUTH\b/;

/**
 * Why a connection is of no more use, if this error reply says so: the server has become a replica, or does not know
 * any more who is connected. Either way it did not run the command.
 */
export function uselessness(error: Error): string | undefined {
  if (READ_ONLY.test(error.message)) return 'The server is a read-only replica';
  if (NOT_AUTHENTICATED.test(error.message)) return 'The server asks for credentials again';
  return undefined;
}
