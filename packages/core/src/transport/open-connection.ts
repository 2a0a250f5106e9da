import { withSecrets } from '../options/frozen-copy.js';
import type { ConnectionRole } from '../options/options.js';
import { describeEndpoint, type ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from './connection.js';
import { DialError, type DialSteps, type DialTarget, dial } from './dial.js';
import type { Route, ServerLocator } from './server-locator.js';

/** Where the connections of a pool go, and who asks. */
export interface Destination extends DialTarget {
  /** Without one the options have the address. */
  readonly locator?: ServerLocator | undefined;
}

/**
 * Opens one connection as `dial()` does, to the server that the locator names at this moment. It is ended when the
 * locator names another one, also before it is open.
 *
 * @throws DialError `RP_ERR_AUTH`, `RP_ERR_CONNECT_TIMEOUT` or `RP_ERR_CONNECT`, with the cause.
 */
export async function openConnection<T>(
  { options, credentials, locator }: Destination,
  role: ConnectionRole,
  steps: DialSteps<T>,
  signal: AbortSignal,
): Promise<T> {
  if (locator === undefined) return dial({ options, credentials }, role, steps, signal);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), options.connectTimeoutMs);
  const ended = AbortSignal.any([signal, limit.signal]);
  const loading: DialSteps<T>['loading'] = (error) => {
    // From now on each answer is given a time of its own.
    clearTimeout(timer);
    steps.loading?.(error);
  };
  try {
    const route = await located(locator, options, ended);
    const attempt = new LocatedAttempt({ options, credentials }, route, ended);
    return await attempt.run(role, { prepare: steps.prepare, loading });
  } finally {
    clearTimeout(timer);
  }
}

async function located(locator: ServerLocator, options: ResolvedOptions, ended: AbortSignal): Promise<Route> {
  let onEnd: () => void = () => {};
  const late = new Promise<never>((_, reject) => {
    onEnd = () => reject(lateError(options));
    ended.addEventListener('abort', onEnd, { once: true });
  });
  try {
    return await Promise.race([locator.locate(), late]);
  } finally {
    ended.removeEventListener('abort', onEnd);
  }
}

function lateError(options: ResolvedOptions): DialError {
  const limit = `within ${options.connectTimeoutMs} ms (connectTimeoutMs)`;
  const message = `Redis pool "${options.name}" was not told where ${describeEndpoint(options)} is ${limit}`;
  return new DialError('RP_ERR_CONNECT_TIMEOUT', message, undefined, false);
}

/** One attempt to connect to the server of a route, and the connection that came of it. */
class LocatedAttempt {
  readonly #options: ResolvedOptions;
  readonly #credentials: DialTarget['credentials'];
  readonly #signal: AbortSignal;
  readonly #moving = new AbortController();
  readonly #unfollow: () => void;
  #connection: Connection | undefined;
  #moved: Error | undefined;

  constructor({ options, credentials }: DialTarget, route: Route, signal: AbortSignal) {
    this.#options = optionsOf(options, route);
    this.#credentials = credentials;
    this.#signal = AbortSignal.any([signal, this.#moving.signal]);
    this.#unfollow = route.follow(this.#onMoved);
  }

  async run<T>(role: ConnectionRole, steps: DialSteps<T>): Promise<T> {
    const prepare = (connection: Connection) => {
      this.#connection = connection;
      void connection.gone.then(this.#unfollow);
      return steps.prepare(connection);
    };
    try {
      const target = { options: this.#options, credentials: this.#credentials };
      return await dial(target, role, { ...steps, prepare }, this.#signal);
    } catch (error) {
      this.#unfollow();
      throw this.#moved === undefined ? error : this.#movedError(this.#moved);
    }
  }

  readonly #onMoved = (reason: Error): void => {
    this.#moved = reason;
    this.#unfollow();
    // Before there is a connection the attempt is given up; afterwards this changes nothing.
    this.#moving.abort();
    this.#connection?.destroy(reason);
  };

  #movedError(reason: Error): DialError {
    const { name } = this.#options;
    const message = `Redis pool "${name}" gave up connecting to ${describeEndpoint(this.#options)}: ${reason.message}`;
    return new DialError('RP_ERR_CONNECT', message, reason, false);
  }
}

/** The options with the address of the route in them; what the server is, is looked at before anything else is done. */
function optionsOf(options: ResolvedOptions, route: Route): ResolvedOptions {
  const { endpoint, hooks, tls } = options;
  const family = 'family' in endpoint ? endpoint.family : 0;
  const connect: typeof hooks.connect = async (connection) => {
    await route.check(connection);
    await hooks.connect?.(connection);
  };
  const shown = {
    ...options,
    endpoint: { kind: 'tcp' as const, ...route.address, family },
    hooks: { ...hooks, connect },
  };
  return withSecrets(shown, { tls });
}
