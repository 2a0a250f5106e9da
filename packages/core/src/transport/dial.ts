import { Redis, type RedisOptions } from 'ioredis';
import { RedisPoolError } from '../errors/errors.js';
import type { ConnectionRole } from '../options/options.js';
import {
  type Auth,
  describeEndpoint,
  type ResolvedOptions,
  toIoredisOptions,
} from '../options/resolved-options.js';
import { Connection } from './connection.js';
import { connectorFor, type SocketSlot } from './connector.js';
import type { CredentialSource } from './credential-source.js';
import { fairTimeout } from './fair-timeout.js';

/** What `error.code` or the text of a handshake failure says about a refused identity. */
const REFUSED_IDENTITY = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH)|invalid password|invalid username-password/i;
/** Codes that TLS gives to a certificate that no retry makes better. */
const REFUSED_CERTIFICATE =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|ERR_SSL_|ERR_OSSL|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

/** A failed connection attempt. `fatal`: the same attempt fails again until somebody changes something. */
export class DialError extends RedisPoolError {
  readonly fatal: boolean;

  constructor(code: RedisPoolError['code'], message: string, cause: unknown, fatal: boolean) {
    super(code, message, { cause, maybeExecuted: false });
    this.fatal = fatal;
  }
}

/** Where to, and who asks. */
export interface DialTarget {
  readonly options: ResolvedOptions;
  readonly credentials: Pick<CredentialSource, 'ask'>;
}

/**
 * Opens one connection within `connectTimeoutMs`: credentials, DNS, TCP, TLS, handshake, a check that the server
 * is not still loading its data, the `connect` hook, and whatever `prepare` still does.
 *
 * @throws DialError `RP_ERR_AUTH`, `RP_ERR_CONNECT_TIMEOUT` or `RP_ERR_CONNECT`, with the cause.
 */
export async function dial<T>(
  { options, credentials }: DialTarget,
  role: ConnectionRole,
  prepare: (connection: Connection) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const attempt = new Attempt(options, role, credentials);
  const callOff = fairTimeout(options.connectTimeoutMs, attempt.abandon);
  signal.addEventListener('abort', attempt.abandon, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([attempt.run().then(prepare), attempt.abandoned]);
  } catch (error) {
    attempt.discard();
    throw attempt.explain(error);
  } finally {
    callOff();
    signal.removeEventListener('abort', attempt.abandon);
  }
}

/** What an attempt is at, for its error. */
type Phase =
  | ('asking for credentials' | 'connecting' | 'in the handshake')
  | ('in the hook "connect"' | 'checking the connection');

class Attempt {
  readonly abandoned: Promise<never>;
  abandon!: () => void;
  readonly #options: ResolvedOptions;
  readonly #role: ConnectionRole;
  readonly #credentials: DialTarget['credentials'];
  readonly #slot: SocketSlot = { socket: undefined, coalescer: undefined };
  readonly #startedAt = performance.now();
  #redis: Redis | undefined;
  #phase: Phase = 'asking for credentials';
  #timedOut = false;
  #lastError: unknown;

  constructor(options: ResolvedOptions, role: ConnectionRole, credentials: DialTarget['credentials']) {
    this.#options = options;
    this.#role = role;
    this.#credentials = credentials;
    this.abandoned = new Promise((_, reject) => {
      this.abandon = () => {
        this.#timedOut = true;
        reject(new Error('Abandoned'));
      };
    });
    this.abandoned.catch(() => {});
  }

  async run(): Promise<Connection> {
    const credentials = await this.#credentials.ask();
    if (this.#timedOut) throw new Error('Abandoned');
    const options = connectionOptions(this.#options, this.#role, this.#slot, credentials);
    // The mapping is a type parameter of ioredis's class; here it is known at run time only.
    const redis: Redis = new Redis(options as RedisOptions & { replyMapping?: 'legacy' });
    this.#redis = redis;
    redis.on('error', this.#remember);
    this.#phase = 'connecting';
    redis.once('connect', () => {
      this.#phase = 'in the handshake';
    });
    await redis.connect();
    const { socket, coalescer } = this.#slot;
    if (socket === undefined || coalescer === undefined) throw new Error('ioredis did not use the connector');
    const connection = new Connection(this.#role, redis, socket, coalescer);
    redis.off('error', this.#remember);
    // A refused SELECT does not stop ioredis: the connection would stay on database 0.
    if (this.#lastError !== undefined) throw this.#lastError;
    await refuseWhileLoading(redis);
    this.#phase = 'in the hook "connect"';
    await this.#options.hooks.connect?.({
      role: this.#role,
      call: (name, ...args) => redis.call(name, args),
    });
    if (connection.lost) throw new Error('Connection is closed.');
    this.#phase = 'checking the connection';
    return connection;
  }

  discard(): void {
    const { socket } = this.#slot;
    // On a socket that closed already, ioredis's disconnect() leaves a timer behind for disconnectTimeout.
    if (!socket?.closed) this.#redis?.disconnect();
    socket?.destroy();
  }

  explain(error: unknown): DialError {
    const cause = this.#timedOut ? this.#lastError : (this.#lastError ?? error);
    const where = `Redis pool "${this.#options.name}" could not connect to ${describeEndpoint(this.#options)}`;
    const elapsedMs = Math.round(performance.now() - this.#startedAt);
    if (this.#timedOut) {
      const message = `${where} within ${this.#options.connectTimeoutMs} ms (connectTimeoutMs): still ${this.#phase}`;
      return new DialError('RP_ERR_CONNECT_TIMEOUT', message, cause, false);
    }
    const { text, code } = describe(cause);
    if (REFUSED_IDENTITY.test(text)) {
      return new DialError('RP_ERR_AUTH', `${where}: the server refused the credentials`, cause, true);
    }
    const message = `${where} after ${elapsedMs} ms: ${text}${hint(text, code)}`;
    return new DialError('RP_ERR_CONNECT', message, cause, REFUSED_CERTIFICATE.test(code));
  }

  readonly #remember = (error: unknown): void => {
    this.#lastError = error;
  };
}

function describe(cause: unknown): { text: string; code: string } {
  if (cause instanceof AggregateError && cause.message === '' && cause.errors.length > 0) {
    return describe(cause.errors[0]);
  }
  if (!(cause instanceof Error)) return { text: 'unknown cause', code: '' };
  const { code } = cause as NodeJS.ErrnoException;
  return { text: cause.message, code: code ?? '' };
}

function hint(text: string, code: string): string {
  if (code === 'EPIPE' || code === 'ECONNRESET' || text === 'Connection is closed.') {
    return ' (closed during the handshake: is the server at its maxclients limit, or does it expect TLS?)';
  }
  if (/HELLO|NOPROTO/i.test(text)) return ' (for a server or proxy without RESP3 set redis.protocol to 2)';
  return '';
}

function connectionOptions(
  options: ResolvedOptions,
  role: ConnectionRole,
  slot: SocketSlot,
  auth: Auth | undefined,
): RedisOptions {
  return {
    ...toIoredisOptions(options, auth),
    Connector: connectorFor(slot),
    connectionName: `${options.name}:${role}:${process.pid}`,
    // The pool's own methods put it in front of keys.
    keyPrefix: '',
    // One instance, one connection: what comes after its end is the engine's business.
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: null,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // The deadline of dial() covers the whole attempt; ioredis's own ends with the TCP handshake.
    connectTimeout: 0,
    // HELLO, SELECT and CLIENT SETNAME leave in one write; the check for loading follows below.
    enableReadyCheck: false,
    disableClientInfo: true,
  };
}

/** A server that loads its data set answers HELLO, but not PING. A user without PING has loaded data. */
async function refuseWhileLoading(redis: Redis): Promise<void> {
  try {
    await redis.ping();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOPERM')) throw error;
  }
}
