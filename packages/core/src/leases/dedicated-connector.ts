import { Socket } from 'node:net';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import { type ConnectorClass, openSocket } from '../transport/connector.js';

/**
 * A connector as ioredis's own for one server, except that something can be done before each attempt, and that
 * `disconnect()` between two attempts leaves no timer behind.
 */
export function dedicatedConnector(beforeAttempt: () => Promise<void>): ConnectorClass {
  return class extends AbstractConnector {
    readonly #options: RedisOptions;
    #stop: () => void = () => {};

    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout);
      this.#options = options as RedisOptions;
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const stopped = new Promise<void>((resolve) => {
        this.#stop = resolve;
      });
      // ioredis connects in its constructor: one step later there is an instance.
      await undefined;
      try {
        await Promise.race([beforeAttempt(), stopped]);
      } catch (error) {
        // What connect() throws would end the client for good; after a closed socket it tries again.
        this.firstError = error as Error;
        return new Socket().destroy();
      }
      if (!this.connecting) throw new Error('Connection is closed.');
      const socket = openSocket(this.#options);
      // Read by ioredis when the socket fails before it can listen.
      socket.once('error', (error) => {
        this.firstError = error;
      });
      this.stream = socket;
      return socket;
    }

    override disconnect(): void {
      this.#stop();
      // ioredis's own would wait for the end of a stream that ended already.
      if (this.stream?.closed) this.connecting = false;
      else super.disconnect();
    }
  } as unknown as ConnectorClass;
}
