import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './error-code.js';

// Below the ephemeral ranges of Linux (32768+) and macOS (49152+). While a server is down, a port of those
// ranges can be taken by anybody's outgoing connection, and a client that keeps dialling one on the loopback
// interface ends up connected to itself.
const LOWEST_PORT = 20_000;
// Test files that run at the same time have ports of their own: while a server of one is down on purpose, none of the
// others may listen at its address, nor dial it.
const PORT_COUNT = 2_000;
const RANGES = 6;
const FIRST_PORT = LOWEST_PORT + (Number(process.env.VITEST_POOL_ID ?? 0) % RANGES) * PORT_COUNT;
const ATTEMPTS = 100;
const BIND_ATTEMPTS = 10;
const BIND_RETRY_MS = 50;

/**
 * Finds a TCP port of the loopback interface that nobody listens on, outside the ephemeral range.
 * Nothing reserves it: whoever binds it must be ready to find it taken, and ask again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORT_COUNT);
    if (await canBind(port)) return port;
  }
  throw new Error(`No free port found in ${ATTEMPTS} attempts`);
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Runs `bind` again, up to 10 times, as long as it fails with EADDRINUSE.
 * Also worthwhile for a fixed port: another process that looks for a free one binds it for a moment.
 */
export async function retryWhilePortTaken<T>(bind: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bind();
    } catch (error) {
      if (!hasCode(error, 'EADDRINUSE') || attempt === BIND_ATTEMPTS) throw error;
      await sleep(BIND_RETRY_MS);
    }
  }
}
