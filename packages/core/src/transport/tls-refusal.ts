import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** How long a server may take to say that it refuses a client. */
const ANSWER_LIMIT_MS = 250;

/**
 * Whether a server with TLS may have refused the client's certificate without our hearing why.
 *
 * In TLS 1.3 a client may write before the server has looked at its certificate. A server that refuses it says so and
 * closes; where the first command arrives after that, the connection is reset, and what it said is lost.
 */
export function mayBeRefusal(error: unknown, socket: Socket | undefined): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return socket instanceof TLSSocket && (code === undefined || code === 'EPIPE' || code === 'ECONNRESET');
}

/** What the server says on this fresh connection to somebody who writes nothing; `undefined` if it is content. */
export async function refusalOn(socket: Socket): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const refusal = await new Promise<Error | undefined>((resolve) => {
    timer = setTimeout(resolve, ANSWER_LIMIT_MS, undefined);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code?.startsWith('ERR_SSL_') ? error : undefined);
    });
    // Sent when the certificate was looked at.
    socket.once('session', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
    socket.resume();
  });
  clearTimeout(timer);
  socket.destroy();
  return refusal;
}
