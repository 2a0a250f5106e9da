import { type RedisServer, waitUntil } from '@redis-pool/testkit';

/** How many clients are subscribed to a channel, by the server's own count. */
export async function subscribersOf(server: RedisServer, channel: string): Promise<number> {
  const [, count] = (await server.adminCommand('PUBSUB', 'NUMSUB', channel)) as [string, number];
  return Number(count);
}

export async function untilSubscribed(server: RedisServer, channel: string, count: number): Promise<void> {
  await waitUntil(async () => (await subscribersOf(server, channel)) === count, {
    what: `${count} clients are subscribed to ${channel}`,
  });
}
