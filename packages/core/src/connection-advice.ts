import type { Engine } from './engine.js';

/** From this share of the server's `maxclients` on, the caps of all processes together are worth a line. */
const WARN_SHARE = 0.8;
/** CLIENT LIST of more clients than this is too much to ask for the sake of advice. */
const MAX_LISTED = 2_000;

/**
 * Once, after the first connection: warns when `maxConnections` times the processes of this pool that the server
 * sees comes near the server's `maxclients`. A server or user that does not tell gets no advice.
 */
export async function adviseOnConnections(engine: Engine): Promise<void> {
  const { name, maxConnections, logger } = engine.options;
  const info = String(await engine.call('INFO', 'clients'));
  const maxClients = numberIn(info, 'maxclients');
  const connected = numberIn(info, 'connected_clients');
  if (maxClients === undefined || connected === undefined || connected > MAX_LISTED) return;
  const processes = countProcesses(String(await engine.call('CLIENT', 'LIST')), name);
  if (processes * maxConnections < maxClients * WARN_SHARE) return;
  const fields = { pool: name, processes, maxConnections, maxClients };
  const message = `Redis pool "${name}": ${processes} processes x maxConnections ${maxConnections} comes near the server's maxclients ${maxClients}`;
  logger.warn(fields, message);
}

function numberIn(info: string, field: string): number | undefined {
  const text = new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Lanes are named `<pool>:lane:<pid>`; processes on other machines may share a pid, hence the address too. */
function countProcesses(clients: string, name: string): number {
  const processes = new Set<string>();
  for (const line of clients.split('\n')) {
    const lane = / name=([\w.-]+):lane:(\d+) /.exec(line);
    const host = / addr=(\S+):\d+ /.exec(line);
    if (lane?.[1] === name) processes.add(`${host?.[1]} ${lane[2]}`);
  }
  return processes.size;
}
