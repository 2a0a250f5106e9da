import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP forwarder that remembers what its clients sent. */
export interface Recorder {
  readonly url: string;
  /** The bytes that clients sent since the last call. */
  take(): Buffer;
  close(): Promise<void>;
}

export async function startRecorder(target: {
  readonly host: string;
  readonly port: number;
}): Promise<Recorder> {
  const sockets = new Set<Socket>();
  let sent: Buffer[] = [];
  const listener = createServer((client) => {
    const server = connect(target.port, target.host);
    client.on('data', (chunk) => sent.push(chunk));
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    }
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    take() {
      const bytes = Buffer.concat(sent);
      sent = [];
      return bytes;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
