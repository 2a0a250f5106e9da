import type { Socket } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import { RedisPoolError } from '../errors/errors.js';
import type { ConnectionRole } from '../options/options.js';
import {
  type Auth,
  describeEndpoint,
  type ResolvedOptions,
  toIoredisOptions,
} from '../options/resolved-options.js';
import { adviceFor, adviceOnSilence, textOf } from './connect-advice.js';
import { Connection } from './connection.js';
import { connectorFor, openSocket, type SocketSlot } from './connector.js';
import type { CredentialSource } from './credential-source.js';
import { fairTimeout } from './fair-timeout.js';
import { untilLoaded } from './loading.js';
import { reauthenticate } from './reauthentication.js';
import { mayBeRefusal, refusalOn } from './tls-refusal.js';

/** What `error.code` or the text of a handshake failure says about a refused identity. */
const REFUSED_IDENTITY = /^(WRONGPASS|NOAUTH|ERR AUTH)|invalid password|invalid username-password/i;
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

/** The server was reached, and loads its data. */
export class LoadingError extends DialError {}

/** After so many times `connectTimeoutMs` of loading the address is looked up anew: it may lead to another server. */
const LOADING_LIMITS = 10;

/** What is done with a connection before it is of use. */
export interface DialSteps<T> {
  /** The last step. */
  prepare(connection: Connection): Promise<T>;
  /** The server loads its data and is waited for; called at each of its answers. */
  loading?(error: LoadingError): void;
}

/** Where to, and who asks. */
export interface DialTarget {
  readonly options: ResolvedOptions;
  readonly credentials: Pick<CredentialSource, 'ask' | 'newerThan'>;
}

/**
 * Opens one connection within `connectTimeoutMs`: credentials, DNS, TCP, TLS, handshake, a check that the server
 * is not still loading its data, the `connect` hook, and whatever `prepare` still does. A server that loads is waited
 * for as long as it answers; each of its answers begins the time anew.
 *
 * @throws DialError `RP_ERR_AUTH`, `RP_ERR_CONNECT_TIMEOUT` or `RP_ERR_CONNECT`, with the cause.
 */
export async function dial<T>(
  target: DialTarget,
  role: DialRole,
  steps: DialSteps<T>,
  signal: AbortSignal,
): Promise<T> {
  const attempt = new Attempt(target, role, (error) => steps.loading?.(error));
  signal.addEventListener('abort', attempt.abandon, { once: true });
  try {
    signal.throwIfAborted();
    const made = attempt.run().then((connection) => steps.prepare(connection));
    return await Promise.race([made, attempt.abandoned]);
  } catch (error) {
    // Its socket says how far it came, as long as it is there.
    const failure = attempt.explain(error);
    attempt.discard();
    throw failure;
  } finally {
    attempt.stopClock();
    signal.removeEventListener('abort', attempt.abandon);
  }
}

/** What a connection is for; those to Sentinels are the pool's own, and nobody is told of them. */
type DialRole = ConnectionRole | 'sentinel';

/** What an attempt is at, for its error. */
type Phase =
  | ('asking for credentials' | 'connecting' | 'in the handshake')
  | ('waiting for the server to load its data' | 'in the hook "connect"' | 'checking the connection');

class Attempt {
  readonly abandoned: Promise<never>;
  abandon!: () => void;
  readonly #options: ResolvedOptions;
  readonly #role: DialRole;
  readonly #credentials: DialTarget['credentials'];
  readonly #slot: SocketSlot = { socket: undefined, coalescer: undefined };
  readonly #startedAt = performance.now();
  readonly #onLoading: (error: LoadingError) => void;
  stopClock: () => void = () => {};
  #redis: Redis | undefined;
  #question: Socket | undefined;
  #phase: Phase = 'asking for credentials';
  #timedOut = false;
  #lastError: unknown;

  constructor(
    { options, credentials }: DialTarget,
    role: DialRole,
    onLoading: (error: LoadingError) => void,
  ) {
    this.#options = options;
    this.#role = role;
    this.#credentials = credentials;
    this.#onLoading = onLoading;
    this.abandoned = new Promise((_, reject) => {
      this.abandon = () => {
        this.#timedOut = true;
        reject(new Error('Abandoned'));
      };
    });
    this.abandoned.catch(() => {});
    this.#startClock();
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
    await redis.connect().catch((error: unknown) => this.#explainClosed(error, redis.options));
    const { socket, coalescer } = this.#slot;
    if (socket === undefined || coalescer === undefined) throw new Error('ioredis did not use the connector');
    const connection = new Connection(this.#role as ConnectionRole, redis, socket, coalescer);
    redis.off('error', this.#remember);
    // A refused SELECT does not stop ioredis: the connection would stay on database 0.
    if (this.#lastError !== undefined) throw this.#lastError;
    await this.#untilLoaded(connection);
    this.#phase = 'in the hook "connect"';
    await this.#options.hooks.connect?.({
      role: this.#role as ConnectionRole,
      call: (name, ...args) => redis.call(name, args),
    });
    if (connection.lost) throw new Error('Connection is closed.');
    this.#phase = 'checking the connection';
    await this.#catchUp(connection, credentials);
    return connection;
  }

  /** Whoever changed the credentials while this attempt was under way has told those only that were open. */
  async #catchUp(connection: Connection, said: Auth | undefined): Promise<void> {
    const auth = this.#credentials.newerThan(said);
    if (auth === undefined) return;
    // Refused, it keeps what it was let in with.
    await reauthenticate(connection, auth).catch(() => {});
    await this.#catchUp(connection, auth);
  }

  async #untilLoaded(connection: Connection): Promise<void> {
    const { connectTimeoutMs } = this.#options;
    const endsAt = performance.now() + connectTimeoutMs * LOADING_LIMITS;
    await untilLoaded(connection, (reply) => {
      if (this.#timedOut) return;
      this.#phase = 'waiting for the server to load its data';
      this.#startClock();
      const message = `${this.#where} yet: ${reply.message}`;
      const error = new LoadingError('RP_ERR_CONNECT', message, reply, false);
      if (performance.now() > endsAt) throw error;
      this.#onLoading(error);
    });
  }

  #startClock(): void {
    this.stopClock();
    this.stopClock = fairTimeout(this.#options.connectTimeoutMs, this.abandon);
  }

  get #where(): string {
    return `Redis pool "${this.#options.name}" could not connect to ${describeEndpoint(this.#options)}`;
  }

  /** Replaces a close without a reason by the reason, where the server tells it. */
  async #explainClosed(error: unknown, options: RedisOptions): Promise<never> {
    if (mayBeRefusal(this.#lastError, this.#slot.socket) && !this.#timedOut) {
      this.#question = openSocket(options);
      this.#lastError = (await refusalOn(this.#question)) ?? this.#lastError;
    }
    throw error;
  }

  discard(): void {
    this.#question?.destroy();
    const { socket } = this.#slot;
    // On a socket that closed already, ioredis's disconnect() leaves a timer behind for disconnectTimeout.
    if (!socket?.closed) this.#redis?.disconnect();
    socket?.destroy();
  }

  explain(error: unknown): DialError {
    if (error instanceof LoadingError) return error;
    const cause = this.#timedOut ? this.#lastError : (this.#lastError ?? error);
    const where = this.#where;
    const elapsedMs = Math.round(performance.now() - this.#startedAt);
    if (this.#timedOut) {
      const at = `still ${this.#phase}${adviceOnSilence(this.#slot.socket)}`;
      const message = `${where} within ${this.#options.connectTimeoutMs} ms (connectTimeoutMs): ${at}`;
      return new DialError('RP_ERR_CONNECT_TIMEOUT', message, cause, false);
    }
    const { text, code } = describe(cause);
    if (text.startsWith('NOPERM')) {
      const message = `${where}: ${text} (an ACL rule of the user forbids what connecting takes)`;
      return new DialError('RP_ERR_AUTH', message, cause, true);
    }
    if (REFUSED_IDENTITY.test(text)) {
      return new DialError('RP_ERR_AUTH', `${where}: the server refused the credentials`, cause, true);
    }
    const message = `${where} after ${elapsedMs} ms: ${text}${adviceFor(text, code, this.#slot.socket)}`;
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
  return { text: textOf(cause), code: code ?? '' };
}

function connectionOptions(
  options: ResolvedOptions,
  role: DialRole,
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
