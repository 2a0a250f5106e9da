import type { ClientInfo } from './client-info.js';
import type { LeakProbe } from './leak-probe.js';
import type { RedisServer } from './redis-server.js';

/** Finds client connections on the servers that were not there before. */
export class ClientProbe implements LeakProbe {
  readonly #servers: () => readonly RedisServer[];
  #before = new Map<RedisServer, readonly string[]>();

  constructor(servers: () => readonly RedisServer[]) {
    this.#servers = servers;
  }

  async start(): Promise<void> {
    const entries = this.#servers().map(async (server) => [server, await identities(server)] as const);
    this.#before = new Map(await Promise.all(entries));
  }

  async findings(): Promise<readonly string[]> {
    const findings = await Promise.all(this.#servers().map((server) => this.#find(server)));
    return findings.flat();
  }

  stop(): void {
    this.#before.clear();
  }

  async #find(server: RedisServer): Promise<readonly string[]> {
    if (server.status === 'frozen') return [`server on port ${server.port} was left frozen`];
    const before = this.#before.get(server) ?? [];
    try {
      const clients = await clientsOf(server);
      if (clients.length <= before.length) return [];
      const leaked = clients.filter((client) => !before.includes(identity(server, client)));
      return leaked.map((client) => `connection on port ${server.port}: ${describe(client)}`);
    } catch (error) {
      return [`server on port ${server.port} does not tell its connections: ${String(error)}`];
    }
  }
}

async function identities(server: RedisServer): Promise<readonly string[]> {
  return (await clientsOf(server)).map((client) => identity(server, client));
}

// A server that is not running has no connections.
async function clientsOf(server: RedisServer): Promise<readonly ClientInfo[]> {
  return server.status === 'running' ? server.clients() : [];
}

// With the pid: after a restart the server counts from 1 again.
function identity(server: RedisServer, { id }: ClientInfo): string {
  return `${server.pid}/${id}`;
}

function describe({ name, id, addr, cmd }: ClientInfo): string {
  return `"${name}" (id ${id}, ${addr}, last command ${cmd})`;
}
