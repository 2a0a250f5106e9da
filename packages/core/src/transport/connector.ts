import { createConnection, isIP, type LookupFunction, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import { WriteCoalescer } from './write-coalescer.js';

/** What the connector of one connection leaves behind for its owner. */
export interface SocketSlot {
  socket: Socket | undefined;
  coalescer: WriteCoalescer | undefined;
}

export type ConnectorClass = NonNullable<RedisOptions['Connector']>;

/**
 * A connector as ioredis's own (TCP, unix socket, TLS), whose socket gathers writes. ioredis does not export its
 * own, and an instance lives for one connection only, so that the host name is looked up at each attempt.
 */
export function connectorFor(slot: SocketSlot): ConnectorClass {
  return class extends AbstractConnector {
    readonly #options: RedisOptions;
    constructor(options: unknown) {
      super((options as { disconnectTimeout: number }).disconnectTimeout);
      this.#options = options as RedisOptions;
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      // As ioredis does: the socket is made one tick later, and not at all after disconnect() in between.
      await undefined;
      if (!this.connecting) throw new Error('Connection is closed.');
      const socket = openSocket(this.#options);
      // Read by ioredis when the socket fails before it can listen.
      socket.once('error', (error) => {
        this.firstError = error;
      });
      slot.socket = socket;
      slot.coalescer = new WriteCoalescer(socket);
      this.stream = socket;
      return socket;
    }
  } as unknown as ConnectorClass;
}

/** A socket to where the options say: TCP, unix socket, TLS. */
export function openSocket(options: RedisOptions & { lookup?: LookupFunction }): Socket {
  const { path, port, host, family, lookup, tls } = options;
  const target = path
    ? { path }
    : { port, host, ...(family === undefined ? {} : { family }), ...(lookup && { lookup }) };
  if (tls) return connectTls({ ...target, ...serverName(host), ...tls } as ConnectionOptions);
  return createConnection(target as NetConnectOpts);
}

/** Node checks the certificate against the host name, but tells the server the name (SNI) only when asked to. */
function serverName(host: string | undefined): { servername?: string } {
  return host === undefined || isIP(host) !== 0 ? {} : { servername: host };
}
