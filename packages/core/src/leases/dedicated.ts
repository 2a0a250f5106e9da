import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Admission } from '../admission.js';
import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import { type Endpoint, type ResolvedOptions, toIoredisOptions } from '../options/resolved-options.js';
import type { DialCoordinator } from '../transport/dial-coordinator.js';
import type { ServerLocator } from '../transport/server-locator.js';
import { dedicatedCluster } from './dedicated-cluster.js';
import { dedicatedConnector } from './dedicated-connector.js';
import { DedicatedPace } from './dedicated-pace.js';

/** What dedicated clients need of their engine. */
export interface DedicatedHost {
  readonly options: ResolvedOptions;
  /** Says before each attempt where to connect to, where that may change. */
  readonly locator?: ServerLocator | undefined;
  /** Says when to connect. A cluster has none: ioredis's own knows many servers, each with a pace of its own. */
  readonly dials?: DialCoordinator;
  readonly admission: Admission;
  readonly budget: { readonly max: number };
  /** Takes one place of maxConnections; `false` at the cap. */
  reserve(): boolean;
  free(): void;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
}

/** How long the end of a client may take that is told to end at once. */
const END_LIMIT_MS = 200;

/**
 * Real ioredis instances for libraries that insist on one. Each counts as a connection of the pool, is named after
 * its label, and is closed with the pool; so are the duplicates that the library makes.
 */
export class DedicatedClients {
  readonly #engine: DedicatedHost;
  readonly #pace: DedicatedPace | undefined;
  readonly #clients = new Set<Redis>();

  constructor(engine: DedicatedHost) {
    this.#engine = engine;
    if (engine.dials !== undefined) this.#pace = new DedicatedPace(engine.options, engine.dials);
  }

  get size(): number {
    return this.#clients.size;
  }

  /** @throws RedisPoolError `RP_ERR_QUEUE_FULL` when `maxConnections` is reached, `RP_ERR_CLOSING`, `RP_ERR_CLOSED` */
  open(label: string, overrides: RedisOptions): Redis {
    return this.#track(label, {
      ...toIoredisOptions(this.#engine.options),
      keyPrefix: '',
      // What blocking workers need: no limit of attempts, and waiting through an outage.
      maxRetriesPerRequest: null,
      ...overrides,
      connectionName: `${this.#engine.options.name}:${label}:${process.pid}`,
    });
  }

  /** Ends all of them at once (QUIT is theirs to send before); resolves when they have ended. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients].map(endNow));
  }

  #track(label: string, options: RedisOptions): Redis {
    this.#reserve();
    const client = this.#make(options);
    this.#clients.add(client);
    client.on('error', (error) => this.#report(label, error));
    client.on('end', () => this.#forget(client));
    // Whoever ended it may connect it again.
    client.on('connecting', () => this.#readmit(client));
    const base = client instanceof Cluster ? options : client.options;
    // The one of a cluster takes its nodes first.
    client.duplicate = (...given: unknown[]) => this.#track(label, { ...base, ...moreOf(given.at(-1)) });
    return client;
  }

  #make(options: RedisOptions): Redis {
    const { endpoint, credentials } = this.#engine.options;
    // It has the same commands, and is what libraries take for a cluster.
    if (endpoint.kind === 'cluster')
      return dedicatedCluster(endpoint, options, async () => credentials?.()) as unknown as Redis;
    const pace = isAt(endpoint, options) ? this.#pace : undefined;
    const Connector = dedicatedConnector(async (_, signal) => {
      await pace?.turn(client, signal);
      await this.#authenticate(client);
      return this.#engine.locator?.locate();
    });
    const client: Redis = new Redis({
      ...(options as RedisOptions & { replyMapping?: 'legacy' }),
      ...retryingOf(options, pace !== undefined),
      Connector,
    });
    endBetweenAttempts(client);
    return client;
  }

  /** ioredis knows only fixed credentials, and reads them before it asks the connector. */
  async #authenticate(client: Redis): Promise<void> {
    const answer = await this.#engine.options.credentials?.();
    if (answer === undefined || client.condition === null) return;
    const { username, password } = answer;
    client.condition.auth = username === undefined ? password : [username, password];
  }

  #reserve(): void {
    const { admission, budget } = this.#engine;
    if (admission.hasEnded) throw admission.refusalAtEnd();
    if (this.#engine.reserve()) return;
    const reason = `has no connection left: maxConnections ${budget.max} is reached`;
    throw this.#engine.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }

  #forget(client: Redis): void {
    if (this.#clients.delete(client)) this.#engine.free();
  }

  #readmit(client: Redis): void {
    if (this.#clients.has(client)) return;
    try {
      this.#reserve();
      this.#clients.add(client);
    } catch {
      client.disconnect();
    }
  }

  #report(label: string, error: Error): void {
    const { logger, name } = this.#engine.options;
    logger.debug(
      { pool: name, client: label, cause: error.message },
      `Dedicated client "${label}" reports an error`,
    );
  }
}

/** Whether a client connects to the server of the pool: overrides may lead it elsewhere. */
function isAt(endpoint: Endpoint, { host, port, path }: RedisOptions): boolean {
  if (endpoint.kind === 'tcp') return !path && host === endpoint.host && port === endpoint.port;
  return endpoint.kind === 'unix' ? path === endpoint.path : endpoint.kind === 'sentinel';
}

/** The pauses are those of everything that connects to this server; ioredis needs to be told some time. */
const AT_ONCE = (): number => 1;

/** A strategy of the caller's comes before the turn; ours is not for duplicates that go elsewhere. */
function retryingOf({ retryStrategy }: RedisOptions, isPaced: boolean): Pick<RedisOptions, 'retryStrategy'> {
  const own = retryStrategy === AT_ONCE ? undefined : retryStrategy;
  const chosen = own ?? (isPaced && own !== null ? AT_ONCE : own);
  return { retryStrategy: chosen } as Pick<RedisOptions, 'retryStrategy'>;
}

/** Between two attempts ioredis's own `disconnect()` leaves everything pending, and never says that it has ended. */
function endBetweenAttempts(client: Redis): void {
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false) => {
    if (!reconnect && client.status === 'reconnecting') client.connect().catch(() => {});
    disconnect(reconnect);
  };
}

async function endNow(client: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_LIMIT_MS);
  });
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  // That of a Cluster says nothing either; that of others does by now.
  if (client.status === 'reconnecting') client.connect().catch(() => {});
  client.disconnect();
  client.stream?.destroy();
  await Promise.race([ended, limit]);
  clearTimeout(timer);
}

function moreOf(given: unknown): RedisOptions {
  const isOptions = typeof given === 'object' && given !== null && !Array.isArray(given);
  const { redisOptions, ...more } = (isOptions ? given : {}) as RedisOptions & {
    redisOptions?: RedisOptions;
  };
  return { ...more, ...redisOptions };
}
