import type { Connection } from '../transport/connection.js';

/** The ID for CLIENT UNBLOCK, where this user may ask for it and use it; both are asked in one write. */
export async function unblockIdOf({ redis }: Connection): Promise<number | undefined> {
  // No client has the ID 0: the answer says only whether the command is allowed.
  const [id, answer] = await Promise.all([
    orRefusal(redis.client('ID')),
    orRefusal(redis.client('UNBLOCK', '0')),
  ]);
  return typeof id === 'number' && answer !== undefined ? id : undefined;
}

function orRefusal(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ReplyError') return undefined;
    throw error;
  });
}
