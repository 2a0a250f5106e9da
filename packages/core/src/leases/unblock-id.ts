import type { Connection } from '../transport/connection.js';
import type { OwnCall } from './lease-host.js';

/**
 * Goes right in front of each CLIENT UNBLOCK. A server that pauses its clients (CLIENT PAUSE, or by itself during a
 * failover) holds back what may write, and a blocking command may: UNBLOCK on a client that is held back crashes Redis
 * (redis/redis#14164) and Valkey (valkey-io/valkey#2111). A script may write as well, so it is held back in the same
 * way, with the UNBLOCK behind it.
 */
export const PAUSE_GUARD: OwnCall = ['EVAL', 'return 1', '0'];

/** The ID for CLIENT UNBLOCK, where this user may ask for it and use it, guard included; all asked in one write. */
export async function unblockIdOf({ redis }: Connection): Promise<number | undefined> {
  const [guard, ...guardArgs] = PAUSE_GUARD;
  // No client has the ID 0: the answer says only whether the command is allowed.
  const answers = await Promise.all([
    orRefusal(redis.client('ID')),
    orRefusal(redis.client('UNBLOCK', '0')),
    orRefusal(redis.call(guard, guardArgs)),
  ]);
  const [id] = answers;
  return typeof id === 'number' && !answers.includes(undefined) ? id : undefined;
}

function orRefusal(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ReplyError') return undefined;
    throw error;
  });
}
