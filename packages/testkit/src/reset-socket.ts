import type { Socket } from 'node:net';

/** Closes a TCP socket with RST. One that waits to send its FIN is only destroyed. */
export function resetSocket(socket: Socket): void {
  // libuv refuses to reset during a shutdown, and Node then never closes the socket.
  const isShuttingDown = socket.writableEnded && !socket.writableFinished;
  if (isShuttingDown) socket.destroy();
  else socket.resetAndDestroy();
}
