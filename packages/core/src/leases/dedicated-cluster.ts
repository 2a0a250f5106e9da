import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { socketLookup } from '../cluster/dns-lookup.js';
import type { Auth, ClusterEndpoint } from '../options/resolved-options.js';
import { dedicatedConnector } from './dedicated-connector.js';

type NodeOptions = RedisOptions & { replyMapping?: 'legacy' };

/** A real Cluster of ioredis. `ask`: who it is at this moment; `undefined`: as the options say. */
export function dedicatedCluster(
  { nodes, options }: ClusterEndpoint,
  redisOptions: RedisOptions,
  ask: () => Promise<Auth | undefined>,
): Cluster {
  const { dnsLookup } = options;
  const lookup = dnsLookup === undefined ? {} : { lookup: socketLookup(dnsLookup) };
  const logins = new NodeLogins(ask);
  const Connector = dedicatedConnector((node) => logins.authenticate(node));
  const cluster = new PreparedCluster([...nodes], () => logins.renew(), {
    ...options,
    // ioredis would connect by address, which is in no certificate.
    dnsLookup: (host: string, found: (error: null, address: string) => void) => found(null, host),
    redisOptions: { ...redisOptions, ...lookup, Connector },
  } as ClusterOptions & { redisOptions: NodeOptions });
  cluster.on('+node', (node: Redis) => logins.follow(node));
  cluster.connect().catch(() => {});
  return cluster;
}

/** Connects when something else is done: its subscriber reads in that moment who it is. */
class PreparedCluster extends Cluster {
  readonly #prepare: () => Promise<void>;
  #running: Promise<void> | undefined;

  constructor(nodes: ClusterNode[], prepare: () => Promise<void>, options: ClusterOptions) {
    super(nodes, { ...options, lazyConnect: true } as ClusterOptions & { redisOptions: NodeOptions });
    this.#prepare = prepare;
  }

  override connect(): Promise<void> {
    this.#running ??= this.#connect().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #connect(): Promise<void> {
    const { status } = this;
    await this.#prepare();
    // It may have been told to end meanwhile.
    if (this.status === status) await super.connect();
  }
}

/** Gives each connection of a Cluster its credentials at each attempt: ioredis itself takes fixed ones, in the options. */
class NodeLogins {
  readonly #ask: () => Promise<Auth | undefined>;
  /** By their options, which is what a connector knows of its instance. */
  readonly #nodes = new WeakMap<RedisOptions, Redis>();
  #last: Auth | undefined;

  constructor(ask: () => Promise<Auth | undefined>) {
    this.#ask = ask;
  }

  follow(node: Redis): void {
    this.#nodes.set(node.options, node);
    this.#tell(node);
    // The Cluster asks for its slots with a duplicate.
    node.duplicate = (more?: RedisOptions) => {
      const options = { ...node.options, ...this.#last, ...more } as NodeOptions;
      const copy: Redis = new Redis({ ...options, lazyConnect: true });
      this.follow(copy);
      if (more?.lazyConnect !== true) copy.connect().catch(() => {});
      return copy;
    };
  }

  /** Never rejects: an attempt that has no answer fails by itself, and is made again. */
  async renew(): Promise<void> {
    this.#last = (await this.#ask().catch(() => undefined)) ?? this.#last;
  }

  async authenticate(options: RedisOptions): Promise<undefined> {
    const answer = await this.#ask();
    const node = this.#nodes.get(options);
    if (answer === undefined || node === undefined) return;
    this.#last = answer;
    const { username, password } = answer;
    if (node.condition !== null && password !== undefined)
      node.condition.auth = username === undefined ? password : [username, password];
    this.#tell(node);
  }

  /** The subscriber of a Cluster takes what the options of a node say when it is made. */
  #tell({ options }: Redis): void {
    const read = (key: keyof Auth) => ({
      configurable: true,
      enumerable: true,
      get: () => this.#last?.[key],
    });
    if (this.#last !== undefined)
      Object.defineProperties(options, { username: read('username'), password: read('password') });
  }
}
