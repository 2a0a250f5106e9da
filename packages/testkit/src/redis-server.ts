import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN_CONNECTION_NAME, AdminConnection } from './admin-connection.js';
import { type ClientInfo, isServerLink, parseClientList } from './client-info.js';
import { requireRedisServer } from './find-redis-server.js';
import { retryWhilePortTaken } from './free-port.js';
import {
  adminAddress,
  type LaunchOptions,
  planLaunch,
  type RedisLaunch,
  type StartRedisOptions,
  urlOf,
} from './redis-launch.js';
import { launchRedis, untilServing } from './redis-process.js';
import type { SupervisedProcess } from './supervised-process.js';

/** Options of {@link RedisServer.restart}. */
export interface RestartOptions {
  /** More arguments for this one start, after all others. @default none */
  readonly args?: readonly string[];
}

/** `exited` was killed or crashed and can be restarted; `stopped` is final. */
export type RedisServerStatus = 'running' | 'frozen' | 'exited' | 'stopped';

type State =
  | { readonly kind: 'started'; readonly process: SupervisedProcess; readonly frozen: boolean }
  | { readonly kind: 'stopped'; readonly done: Promise<void> };

/**
 * Starts a real redis-server on the loopback interface, without persistence, in a temporary directory, and
 * resolves when it answers. It dies with this process, however this process ends.
 *
 * @throws Error with the last lines of the server's output when it does not come up
 */
export function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  return startProcess(options);
}

/** As {@link startRedis}, and starts a Sentinel where the options have its configuration. */
export async function startProcess(options: LaunchOptions): Promise<RedisServer> {
  const binary = requireRedisServer();
  const directory = await mkdtemp(join(tmpdir(), 'redis-pool-'));
  try {
    return await retryWhilePortTaken(async () => startServer(await planLaunch(binary, directory, options)));
  } catch (error) {
    await removeDirectory(directory);
    throw error;
  }
}

async function startServer(launch: RedisLaunch): Promise<RedisServer> {
  const admin = new AdminConnection(adminAddress(launch));
  return new RedisServer(launch, admin, await launchRedis(launch, admin));
}

function removeDirectory(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** A running redis-server; made by {@link startRedis}. */
export class RedisServer {
  readonly host: string;
  readonly port: number;
  /** Path of the unix socket, if one was asked for. */
  readonly socketPath: string | undefined;
  /** `redis://` address, or `rediss://` with TLS, with the password. */
  readonly url: string;
  readonly #launch: RedisLaunch;
  readonly #admin: AdminConnection;
  #state: State;

  /** @internal */
  constructor(launch: RedisLaunch, admin: AdminConnection, process: SupervisedProcess) {
    const { host, port, socketPath } = launch;
    this.host = host;
    this.port = port;
    this.socketPath = socketPath;
    this.url = urlOf(launch);
    this.#launch = launch;
    this.#admin = admin;
    this.#state = { kind: 'started', process, frozen: false };
  }

  /** The pid of redis-server itself; the one of the last process when it has exited. */
  get pid(): number {
    return this.#process().pid;
  }

  get status(): RedisServerStatus {
    if (this.#state.kind === 'stopped') return 'stopped';
    if (!this.#state.process.alive) return 'exited';
    return this.#state.frozen ? 'frozen' : 'running';
  }

  /**
   * Sends one command on the control connection `testkit:admin`, which `clients()` and leak checks leave out
   * (the server counts it: one of `maxclients`). Rejects after 2 s, for example when the server is frozen, and
   * at once when it is not running.
   */
  adminCommand(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.#admin.run(name, ...args);
  }

  /** CLIENT LIST without the control connection and the links between servers. Rejects like `adminCommand()`. */
  async clients(): Promise<ClientInfo[]> {
    const reply = String(await this.adminCommand('CLIENT', 'LIST'));
    return parseClientList(reply).filter(
      (client) => client.name !== ADMIN_CONNECTION_NAME && !isServerLink(client),
    );
  }

  /** Kills the server as a crash would (SIGKILL) and resolves when it is gone. Nothing happens when it is. */
  async kill(): Promise<void> {
    if (this.#state.kind === 'stopped') return;
    this.#admin.close();
    await this.#state.process.kill();
  }

  /** Freezes the server (SIGSTOP): the kernel still accepts connections and bytes, nothing is answered. */
  freeze(): void {
    this.#setFrozen(true);
  }

  /** Lets a frozen server go on (SIGCONT); it works off what has arrived meanwhile. */
  thaw(): void {
    this.#setFrozen(false);
  }

  /** Kills the server if it runs and starts it again: same port, arguments and data directory, another pid. */
  async restart({ args = [] }: RestartOptions = {}): Promise<void> {
    await this.#process().kill();
    this.#admin.close();
    const launch = { ...this.#launch, args: [...(this.#launch.args ?? []), ...args] };
    const process = await retryWhilePortTaken(() => launchRedis(launch, this.#admin));
    this.#state = { kind: 'started', process, frozen: false };
  }

  /** Resolves when the server answers PING; rejects after 15 s, and at once when it has exited. */
  async waitUntilReady(): Promise<void> {
    await untilServing(this.#process(), this.#launch, this.#admin);
  }

  /** Ends the server, also a frozen one, and removes its data. Idempotent. */
  stop(): Promise<void> {
    if (this.#state.kind === 'started') {
      this.#state = { kind: 'stopped', done: this.#stop(this.#state.process) };
    }
    return this.#state.done;
  }

  async #stop(process: SupervisedProcess): Promise<void> {
    this.#admin.close();
    await process.kill();
    await removeDirectory(this.#launch.directory);
  }

  #setFrozen(frozen: boolean): void {
    const process = this.#process();
    process.signal(frozen ? 'SIGSTOP' : 'SIGCONT');
    this.#state = { kind: 'started', process, frozen };
  }

  #process(): SupervisedProcess {
    if (this.#state.kind === 'started') return this.#state.process;
    throw new Error(`The redis-server on port ${this.port} has been stopped`);
  }
}
