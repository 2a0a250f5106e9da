/** Where one error holds others: `cause`, an EXEC's `previousErrors`, a cluster's `lastNodeError`, AggregateError. */
const NESTED = ['cause', 'previousErrors', 'lastNodeError', 'errors'] as const;

/**
 * The replies in which Redis repeats what it was sent. The first one matters most: a server without HELLO answers
 * ioredis's handshake with "unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `<password>`".
 */
const ECHOED_ARGUMENTS = [
  { marker: ', with args beginning with: ', echo: /(?<=, with args beginning with: ).+$/s },
  { marker: "ACL SETUSER modifier '", echo: /(?<=ACL SETUSER modifier ').*(?=')/s },
] as const;

/** Errors of this package, of any copy, went through here when they were made. */
const OWN = Symbol.for('@redis-pool/core/RedisPoolError');

/**
 * Takes the arguments of commands off an error of ioredis or Redis, and off the errors inside it.
 *
 * ioredis attaches `command: { name, args }` to errors, which for a refused handshake is
 * `HELLO 3 AUTH default <password>`: only `command.name` is left. Replies that quote arguments get `***` for them,
 * in the message and the stack; every other message stays as the server wrote it.
 *
 * The error is changed in place and returned, so that its identity, class and stack hold. A value that is no
 * object, or holds no command, comes back as it is.
 */
export function withoutArguments(error: unknown): unknown {
  sanitize(error, new Set());
  return error;
}

function sanitize(value: unknown, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  // Ten thousand calls that end in one moment share such a cause.
  if (Reflect.get(value, OWN) === true) return;
  seen.add(value);
  if (Array.isArray(value)) {
    for (const member of value) sanitize(member, seen);
    return;
  }
  dropArguments(value);
  maskEchoes(value);
  for (const key of NESTED) sanitize(Reflect.get(value, key), seen);
}

function dropArguments(error: object): void {
  const command: unknown = Reflect.get(error, 'command');
  if (typeof command !== 'object' || command === null || !('args' in command)) return;
  const name = 'name' in command && typeof command.name === 'string' ? command.name : 'unknown';
  Reflect.set(error, 'command', { name });
}

function maskEchoes(error: object): void {
  if (!(error instanceof Error)) return;
  const { message, stack } = error;
  const masked = maskArguments(message);
  if (masked === message) return;
  Reflect.set(error, 'message', masked);
  if (stack !== undefined) Reflect.set(error, 'stack', stack.split(message).join(masked));
}

/** A server's message, or one that quotes it, with `***` for the arguments that Redis repeats in some replies. */
export function maskArguments(message: string): string {
  let masked = message;
  for (const { marker, echo } of ECHOED_ARGUMENTS) {
    // Looking behind is slow, and next to no message has any.
    if (masked.includes(marker)) masked = masked.replace(echo, '***');
  }
  return masked;
}
