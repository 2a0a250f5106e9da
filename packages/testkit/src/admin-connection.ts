import type { ConnectionOptions } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';
import { withTimeLimit } from './time-limit.js';

/** The name of the testkit's own connections in CLIENT LIST; leak checks leave them out. */
export const ADMIN_CONNECTION_NAME = 'testkit:admin';

const TIME_LIMIT_MS = 2_000;

/** Where the server is and how to log in. */
export interface AdminAddress {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  readonly tls?: ConnectionOptions;
}

/**
 * A control connection that is opened by its first command and again by the first one after a failure.
 * Its socket is not counted by leak checks and does not keep the process alive.
 */
export class AdminConnection {
  readonly #address: AdminAddress;
  #open: Redis | undefined;
  #connecting: Promise<unknown> = Promise.resolve();

  constructor(address: AdminAddress) {
    this.#address = address;
  }

  /** Sends one command. Rejects after 2 s, connecting included; the command may then have been executed. */
  async run(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const redis = this.#redis();
    const reply = this.#connecting.then(() => redis.call(name, ...args));
    try {
      return await withTimeLimit(reply, {
        timeoutMs: TIME_LIMIT_MS,
        what: `${ADMIN_CONNECTION_NAME}: ${name}`,
      });
    } catch (error) {
      // An error reply leaves the connection in order; anything else may leave a reply on its way.
      if (!isErrorReply(error)) this.#drop(redis);
      throw error;
    }
  }

  /** Closes the connection if it is open; the next command opens a new one. */
  close(): void {
    if (this.#open) this.#drop(this.#open);
  }

  #redis(): Redis {
    if (this.#open) return this.#open;
    const redis = new Redis({ ...ONE_CONNECTION, ...this.#address });
    redis.on('error', () => {});
    redis.once('end', () => this.#drop(redis));
    this.#open = redis;
    this.#connecting = redis.connect().then(() => redis.stream.unref());
    this.#connecting.catch(() => {});
    return redis;
  }

  #drop(redis: Redis): void {
    if (this.#open === redis) this.#open = undefined;
    // disconnect() waits 2 s for the FIN of a frozen server, and leaves that timer behind on a closed socket.
    if (redis.stream) redis.stream.destroy();
    else redis.disconnect();
  }
}

const ONE_CONNECTION = {
  connectionName: ADMIN_CONNECTION_NAME,
  lazyConnect: true,
  retryStrategy: null,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
  disableClientInfo: true,
  protocol: 2,
} as const satisfies RedisOptions;

function isErrorReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
