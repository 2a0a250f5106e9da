import { Socket } from 'node:net';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import { type ConnectorClass, openSocket } from '../transport/connector.js';
import type { Route } from '../transport/server-locator.js';

/**
 * A connector as ioredis's own for one server, except that something can be done before each attempt, which may tell
 * where to connect to, and that `disconnect()` between two attempts leaves no timer behind.
 */
export function dedicatedConnector(
  beforeAttempt: (options: RedisOptions, signal: AbortSignal) => Promise<Route | undefined>,
): ConnectorClass {
  return class extends AbstractConnector {
    readonly #options: RedisOptions;
    #stop: () => void = () => {};
    #route: Route | undefined;

    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout);
      this.#options = options as RedisOptions;
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const call = new AbortController();
      const stopped = new Promise<void>((resolve) => {
        this.#stop = () => {
          call.abort();
          resolve();
        };
      });
      // ioredis connects in its constructor: one step later there is an instance.
      await undefined;
      try {
        this.#route = (await Promise.race([beforeAttempt(this.#options, call.signal), stopped])) ?? undefined;
      } catch (error) {
        // What connect() throws would end the client for good; after a closed socket it tries again.
        this.firstError = error as Error;
        return new Socket().destroy();
      }
      if (!this.connecting) throw new Error('Connection is closed.');
      const socket = openSocket({ ...this.#options, ...this.#route?.address });
      const unfollow = this.#route?.follow((reason) => socket.destroy(reason));
      socket.once('close', () => unfollow?.());
      // Read by ioredis when the socket fails before it can listen.
      socket.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = socket;
      return socket;
    }

    /** Asked with what the server says of itself; `false` makes ioredis connect again. */
    override check({ role }: { readonly role?: string }): boolean {
      return role === undefined || this.#route === undefined || role === this.#route.role;
    }

    override disconnect(): void {
      this.#stop();
      // ioredis's own would wait for the end of a stream that ended already.
      if (this.stream?.closed) this.connecting = false;
      else super.disconnect();
    }
  } as unknown as ConnectorClass;
}
