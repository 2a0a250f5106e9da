import type { Redis } from 'ioredis';
import type { Connection } from './connection.js';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;

/**
 * Resolves when the server has its data: while it loads them it answers HELLO, but not PING. `onLoading` is called at
 * each answer that says so; what it throws ends the wait, and so does the loss of the connection.
 */
export async function untilLoaded(connection: Connection, onLoading: (reply: Error) => void): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const reply = await refusalOfPing(connection.redis);
    if (reply === undefined) return;
    onLoading(reply);
    await pause(pauseMs, connection.gone);
  }
}

/** A user without PING has loaded data, as far as can be told. */
async function refusalOfPing(redis: Redis): Promise<Error | undefined> {
  try {
    await redis.ping();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error.message.startsWith('LOADING')) return error;
    if (!error.message.startsWith('NOPERM')) throw error;
  }
  return undefined;
}

async function pause(ms: number, gone: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([over, gone]);
  clearTimeout(timer);
}
