import type { RedisServer } from './redis-server.js';
import { waitUntil } from './wait-until.js';

const REPLICATING_TIMEOUT_MS = 15_000;

/** Arguments of a server that is, or may become, a replica. */
export function replicaArguments({
  master,
  password,
}: {
  readonly master?: RedisServer | undefined;
  readonly password?: string | undefined;
}): string[] {
  return [
    // Servers wait for more replicas before they send their data; tests have no more.
    ...['--repl-diskless-sync-delay', '0'],
    ...(password === undefined ? [] : ['--masterauth', password]),
    ...(master === undefined ? [] : ['--replicaof', master.host, `${master.port}`]),
  ];
}

/** Waits until so many replicas of this master have its data. */
export async function untilReplicating(master: RedisServer, replicas: number): Promise<void> {
  const condition = async () => {
    const info = String(await master.adminCommand('INFO', 'replication'));
    return (info.match(/^slave\d+:.*state=online/gm) ?? []).length >= replicas;
  };
  await waitUntil(condition, {
    timeoutMs: REPLICATING_TIMEOUT_MS,
    what: `the server on port ${master.port} has ${replicas} replicas`,
  });
}
