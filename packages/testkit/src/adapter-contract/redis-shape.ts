// What the contract uses of `@redis-pool/core`, by shape: the tests of core use this package, and not the reverse.

/** Commands that the contract calls. */
interface Commands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string | number): Promise<string>;
  del(key: string): Promise<number>;
  hget(key: string, field: string): Promise<string | null>;
  incr(key: string): Promise<number>;
  rpush(key: string, ...values: string[]): Promise<number>;
  lpop(key: string): Promise<string | null>;
  blpop(key: string, timeoutSeconds: number): Promise<[key: string, element: string] | null>;
  ping(): Promise<string>;
  publish(channel: string, message: string): Promise<number>;
  pipeline(): Chain;
  multi(): Chain;
}

export interface Chain {
  incr(key: string): Chain;
  get(key: string): Chain;
  set(key: string, value: string | number): Chain;
  lpop(key: string): Chain;
  lpush(key: string, value: string): Chain;
  exec(): Promise<[error: unknown, value: unknown][] | null>;
}

export interface Lease extends Commands {
  readonly released: boolean;
  release(): Promise<void>;
}

interface Subscription extends AsyncIterable<{ readonly message: string }> {
  readonly ended: boolean;
  unsubscribe(): Promise<void>;
}

interface AcquireOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

interface Client extends Commands {
  acquire(options?: AcquireOptions): Promise<Lease>;
  lease<T>(fn: (lease: Lease) => Promise<T> | T, options?: AcquireOptions): Promise<T>;
  subscribe(channel: string, listener?: (message: string) => void): Promise<Subscription>;
}

/** `req.redis`, and each of its namespaces. */
export interface RequestRedis extends Client {
  readonly label: string;
  /** The namespaces that the contract uses. */
  readonly nscache: RequestRedis;
  readonly nsqueue: RequestRedis;
}

export interface Pool extends Client {
  readonly name: string;
  readonly status: string;
  ready(options?: { readonly timeoutMs?: number }): Promise<void>;
  stats(): PoolStats;
  scope(options?: object): RequestRedis;
  close(options?: { readonly timeoutMs?: number }): Promise<unknown>;
}

interface PoolStats {
  readonly leases: {
    readonly leased: number;
    readonly idle: number;
    readonly creating: number;
    readonly waiting: number;
    readonly blocking: number;
  };
  readonly pending: { readonly commands: number; readonly bytes: number };
  readonly waitingForConnection: number;
  readonly connectAttempts: number;
  readonly commands: number;
  readonly hangUps: number;
  readonly forgottenLeases: number;
}
