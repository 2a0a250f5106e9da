import type { ServerTls } from './redis-launch.js';
import { type RedisServer, startProcess } from './redis-server.js';
import { replicaArguments, untilReplicating } from './replicas.js';
import { startTogether, stopTogether } from './together.js';
import { waitUntil } from './wait-until.js';

const GROUP_NAME = 'main';
/** After a failover the Sentinels look at the old master's role for 8 s, and at its link every 10 s. */
const AGREE_TIMEOUT_MS = 45_000;

/** Options of {@link startSentinels}. */
export interface StartSentinelsOptions {
  /** @default 1 */
  readonly replicas?: number;
  /** @default 3 */
  readonly sentinels?: number;
  /** Silence of the master after which a Sentinel takes it for down. @default 1000 */
  readonly downAfterMs?: number;
  /** Of the default user of master and replicas. @default none */
  readonly password?: string;
  /** Of the default user of the Sentinels. @default none */
  readonly sentinelPassword?: string;
  /** For master, replicas and Sentinels, among themselves too. @default no */
  readonly tls?: ServerTls;
  /** More arguments of master and replicas. */
  readonly args?: readonly string[];
}

/**
 * Starts a master with its replicas, and Sentinels that watch them; resolves when all of them agree on who is who.
 * More than half of the Sentinels make a quorum.
 */
export async function startSentinels(options: StartSentinelsOptions = {}): Promise<SentinelGroup> {
  const { replicas = 1, sentinels = 3 } = options;
  const servers = await startServers(options, replicas);
  try {
    const [master] = servers as [RedisServer];
    const watchers = await startTogether(
      Array.from({ length: sentinels }, () => () => startSentinel(options, master, sentinels)),
    );
    const group = new SentinelGroup(servers, watchers);
    try {
      await group.untilAgreed();
      return group;
    } catch (error) {
      await group.stop();
      throw error;
    }
  } catch (error) {
    await stopTogether(servers);
    throw error;
  }
}

async function startServers(
  options: StartSentinelsOptions,
  replicas: number,
): Promise<readonly RedisServer[]> {
  const { password, tls, args = [] } = options;
  const given = { ...(password === undefined ? {} : { password }), ...(tls === undefined ? {} : { tls }) };
  const start = (master?: RedisServer) => () =>
    startProcess({ ...given, args: [...replicaArguments({ master, password }), ...args] });
  const [master] = (await startTogether([start()])) as [RedisServer];
  try {
    const others = await startTogether(Array.from({ length: replicas }, () => start(master)));
    // A Sentinel finds the replicas that the master knows by then, and looks again ten seconds later.
    await untilReplicating(master, replicas);
    return [master, ...others];
  } catch (error) {
    await master.stop();
    throw error;
  }
}

function startSentinel(options: StartSentinelsOptions, master: RedisServer, count: number) {
  const { downAfterMs = 1_000, password, sentinelPassword, tls } = options;
  const quorum = Math.floor(count / 2) + 1;
  return startProcess({
    ...(tls === undefined ? {} : { tls }),
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    sentinel: [
      `sentinel monitor ${GROUP_NAME} ${master.host} ${master.port} ${quorum}`,
      `sentinel down-after-milliseconds ${GROUP_NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${GROUP_NAME} 5000`,
      `sentinel parallel-syncs ${GROUP_NAME} 10`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${GROUP_NAME} ${password}`]),
      ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
    ],
  });
}

/** A master, its replicas and the Sentinels that watch them; made by {@link startSentinels}. */
export class SentinelGroup {
  /** What the Sentinels call the master. */
  readonly name = GROUP_NAME;
  /** Master and replicas; who is what changes with a failover. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];

  /** @internal */
  constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Port of the master as the Sentinels say that run; rejects when they contradict each other. */
  async masterPort(): Promise<number> {
    const ports = await Promise.all(this.#awake().map((sentinel) => this.#portAt(sentinel)));
    const [port, ...others] = new Set(ports);
    if (port === undefined || others.length > 0) {
      throw new Error(`The Sentinels name these masters: ${ports.join(', ') || 'none'}`);
    }
    return port;
  }

  /** The master as the Sentinels say that run. */
  async master(): Promise<RedisServer> {
    const port = await this.masterPort();
    const server = this.servers.find((one) => one.port === port);
    if (server === undefined)
      throw new Error(`The Sentinels name a master on port ${port}, which is no server`);
    return server;
  }

  /** The servers that are not the master. */
  async replicas(): Promise<readonly RedisServer[]> {
    const master = await this.master();
    return this.servers.filter((server) => server !== master);
  }

  /** Makes the Sentinels choose another master at once; resolves when the running ones agree on it. */
  async failOver(): Promise<RedisServer> {
    const before = await this.masterPort();
    await this.#awake()[0]?.adminCommand('SENTINEL', 'FAILOVER', this.name);
    return this.untilMasterIsNot(before);
  }

  /** Waits until the running Sentinels agree on another master than the one of `port`. */
  async untilMasterIsNot(port: number): Promise<RedisServer> {
    const now = await this.#untilAll('name another master', async (sentinel) => {
      const named = await this.#portAt(sentinel);
      return named !== port;
    });
    if (!now) throw new Error('No Sentinel runs');
    return this.master();
  }

  /** Waits until the running Sentinels see one master, every running replica and each other, and nobody down. */
  async untilAgreed(): Promise<void> {
    await this.#untilAll('agree that all is well', (sentinel) => this.#isWell(sentinel));
    await this.masterPort();
  }

  /** Stops everything. Idempotent. */
  async stop(): Promise<void> {
    await stopTogether([...this.sentinels, ...this.servers]);
  }

  #awake(): RedisServer[] {
    return this.sentinels.filter(({ status }) => status === 'running');
  }

  #untilAll(what: string, isSo: (sentinel: RedisServer) => Promise<boolean>): Promise<boolean> {
    const condition = async () => {
      const answers = await Promise.all(this.#awake().map((sentinel) => isSo(sentinel).catch(() => false)));
      return answers.length > 0 && answers.every(Boolean);
    };
    return waitUntil(condition, { timeoutMs: AGREE_TIMEOUT_MS, what: `the Sentinels ${what}` });
  }

  async #portAt(sentinel: RedisServer): Promise<number> {
    const address = await sentinel.adminCommand('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name);
    return Number((address as string[])[1]);
  }

  async #isWell(sentinel: RedisServer): Promise<boolean> {
    const master = fieldsOf(await sentinel.adminCommand('SENTINEL', 'MASTER', this.name));
    const replicas = (await sentinel.adminCommand('SENTINEL', 'REPLICAS', this.name)) as unknown[];
    const others = (await sentinel.adminCommand('SENTINEL', 'SENTINELS', this.name)) as unknown[];
    const up = replicas.map(fieldsOf).filter(({ flags }) => flags === 'slave');
    const running = this.servers.filter(({ status }) => status === 'running').length;
    return (
      master.flags === 'master' &&
      up.length >= running - 1 &&
      up.every((replica) => replica['master-link-status'] === 'ok') &&
      others.filter((other) => fieldsOf(other).flags === 'sentinel').length >= this.#awake().length - 1
    );
  }
}

/** A flat list of names and values as an object. */
function fieldsOf(reply: unknown): Readonly<Record<string, string>> {
  const flat = reply as string[];
  return Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : [])));
}
