import type { RedisServer } from './redis-server.js';

/** Starts servers one beside the other; when one fails, the others are stopped again. */
export async function startTogether(
  starts: readonly (() => Promise<RedisServer>)[],
): Promise<readonly RedisServer[]> {
  const results = await Promise.allSettled(starts.map((start) => start()));
  const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure === undefined) return servers;
  await stopTogether(servers);
  throw failure.reason;
}

/** Stops all of them. */
export async function stopTogether(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}
