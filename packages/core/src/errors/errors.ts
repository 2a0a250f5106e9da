import { maskArguments, withoutArguments } from './sanitize-error.js';
import type { TimeSpent } from './time-spent.js';

interface ErrorKind {
  /** Whether the same call may succeed later, with nothing changed by the caller. */
  readonly retryable: boolean;
  /** The HTTP answer when it is "try later"; without one the error is the server's own fault (500). */
  readonly statusCode?: number;
  /** One line for people: what happened. */
  readonly description: string;
}

/** "Try later" is 503 for timeouts too: 504 is a gateway's word, and clients honour Retry-After on 503 only. */
const TRY_LATER = { retryable: true, statusCode: 503 } as const;
/** Something to change in code or configuration first. */
const FIX_FIRST = { retryable: false } as const;

/**
 * Every code that this package throws: the one table behind the types, the docs and {@link RedisPoolError}.
 *
 * `retryable` is what holds when the command cannot have run. An error with `maybeExecuted: true` is never
 * retryable, whatever is written here: only somebody who knows the command can tell whether twice is harmless.
 * Its `statusCode` stays: whether to repeat a request is for the HTTP client, which knows the method.
 *
 * CLOSED never gets better in this process, but another one may serve the request: 503.
 *
 * CONFLICT may succeed on the next try but has no status: 409 or 503 is for the application to choose.
 */
export const ERROR_CODES = {
  RP_ERR_INVALID_OPTION: {
    ...FIX_FIRST,
    description: 'An option or argument is unknown, wrong or contradictory',
  },
  RP_ERR_POOL_CONFLICT: {
    ...FIX_FIRST,
    description: 'A pool of that name already runs in this process with other options',
  },
  RP_ERR_UNKNOWN_POOL: { ...FIX_FIRST, description: 'No pool of that name runs in this process' },
  RP_ERR_CONNECT: { ...TRY_LATER, description: 'A connection could not be made' },
  RP_ERR_CONNECT_TIMEOUT: {
    ...TRY_LATER,
    description: 'A connection was not usable within connectTimeoutMs',
  },
  RP_ERR_AUTH: { ...FIX_FIRST, description: 'The server refused the user name or the password' },
  RP_ERR_UNAVAILABLE: { ...TRY_LATER, description: 'No connection to the server at the moment' },
  RP_ERR_COMMAND_TIMEOUT: { ...TRY_LATER, description: 'A command had no reply by its deadline' },
  RP_ERR_CONNECTION_LOST: { ...TRY_LATER, description: 'The connection closed before the reply came' },
  RP_ERR_ACQUIRE_TIMEOUT: { ...TRY_LATER, description: 'No connection became free within acquireTimeoutMs' },
  RP_ERR_QUEUE_FULL: { ...TRY_LATER, description: 'Too many commands or callers are waiting already' },
  RP_ERR_LEASE_DEADLOCK: {
    ...FIX_FIRST,
    description: 'A caller waits for a lease while it holds the ones that would have to come free',
  },
  RP_ERR_LEASE_RELEASED: { ...FIX_FIRST, description: 'A lease was used after it had been given back' },
  RP_ERR_STATEFUL_COMMAND: {
    ...FIX_FIRST,
    description: 'A command that depends on or changes its connection was sent over a shared one',
  },
  RP_ERR_CROSS_SLOT: {
    ...FIX_FIRST,
    description: 'The keys of a call are not all on one node of the cluster',
  },
  RP_ERR_CONFLICT: {
    retryable: true,
    description: 'A watched key changed at every attempt of a transaction',
  },
  RP_ERR_CLOSING: { ...TRY_LATER, description: 'The pool is draining and takes no new work' },
  RP_ERR_CLOSED: { retryable: false, statusCode: 503, description: 'The pool is closed' },
} as const satisfies Record<`RP_ERR_${string}`, ErrorKind>;

/** A code of {@link ERROR_CODES}. */
export type RedisPoolErrorCode = keyof typeof ERROR_CODES;

/** What a {@link RedisPoolError} may carry besides code and message. */
export interface RedisPoolErrorOptions {
  /** The error behind this one. The arguments of its commands are taken off: {@link withoutArguments}. */
  readonly cause?: unknown;
  /** `false`: the server cannot have seen the command. `true`: it may have run. Left out: no command was involved. */
  readonly maybeExecuted?: boolean | undefined;
  /** Where the time went of a call that took too long. */
  readonly timeSpent?: TimeSpent | undefined;
}

/** On the prototype, so that two copies of this package in one process know each other's errors. */
const BRAND = Symbol.for('@redis-pool/core/RedisPoolError');

/**
 * The one base of every error of this package. Match on `code`; `instanceof` and {@link isRedisPoolError} also
 * hold for the errors of another copy of the package.
 *
 * Neither its message nor its cause holds a command's arguments, even when the server's reply quoted them.
 *
 * @example
 * ```ts
 * try {
 *   await pool.get('key');
 * } catch (error) {
 *   if (!isRedisPoolError(error) || !error.retryable) throw error;
 *   return fallback;
 * }
 * ```
 */
export class RedisPoolError extends Error {
  /** What happened; see {@link ERROR_CODES}. */
  readonly code: RedisPoolErrorCode;
  /** Whether the same call may succeed later. Always `false` when `maybeExecuted` is `true`. */
  readonly retryable: boolean;
  /** 503 where the right HTTP answer is "try later"; otherwise there is no such property. */
  declare readonly statusCode?: number;
  /** Whether the server may have run the command; there is no such property when no command was involved. */
  declare readonly maybeExecuted?: boolean;
  /** Where the time went; only on errors that say that something took too long. */
  declare readonly timeSpent?: TimeSpent;

  constructor(code: RedisPoolErrorCode, message: string, options: RedisPoolErrorOptions = {}) {
    super(
      maskArguments(message),
      'cause' in options ? { cause: withoutArguments(options.cause) } : undefined,
    );
    const kind: ErrorKind = ERROR_CODES[code];
    this.code = code;
    this.retryable = kind.retryable && options.maybeExecuted !== true;
    if (kind.statusCode !== undefined) this.statusCode = kind.statusCode;
    if (options.maybeExecuted !== undefined) this.maybeExecuted = options.maybeExecuted;
    if (options.timeSpent !== undefined) this.timeSpent = options.timeSpent;
  }

  /** `statusCode` under the other name by which frameworks know it (http-errors, which Koa and NestJS look for). */
  get status(): number | undefined {
    return this.statusCode;
  }

  /** For the same frameworks: the message is for the log, not for clients. */
  get expose(): boolean {
    return false;
  }

  static {
    Object.defineProperty(RedisPoolError.prototype, 'name', {
      value: 'RedisPoolError',
      configurable: true,
      writable: true,
    });
    Object.defineProperty(RedisPoolError.prototype, BRAND, { value: true });
    Object.defineProperty(RedisPoolError, Symbol.hasInstance, { value: hasInstance });
  }
}

/** By brand for the class itself; for a subclass, which inherits this, the ordinary test. */
function hasInstance(this: typeof RedisPoolError, value: unknown): boolean {
  if (this === RedisPoolError) return isRedisPoolError(value);
  return Function.prototype[Symbol.hasInstance].call(this, value);
}

/**
 * Whether a caught value is an error of this package, of this copy or another one.
 *
 * Anything that is no object is `false`; so is a plain error that only has such a `code`.
 */
export function isRedisPoolError(value: unknown): value is RedisPoolError {
  return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
}
