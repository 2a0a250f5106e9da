import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Credentials } from '@redis-pool/core';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { isErrorReply } from '../checks/end-of-call.js';
import { SECRET_MARK } from '../checks/secrets.js';
import { RemoteProxy } from './remote-proxy.js';

const USER = 'app';
const ADMIN_TRIES = 8;

/** The server, the network in front of it, and the account of the application. */
export class Arena {
  readonly server: RedisServer;
  readonly proxy: RemoteProxy;
  readonly #directory: string;
  #passwords = 1;
  /** What the server accepts. */
  #password = passwordOf(1);
  /** What the application knows. */
  #known = passwordOf(1);

  private constructor(server: RedisServer, proxy: RemoteProxy, directory: string) {
    this.server = server;
    this.proxy = proxy;
    this.#directory = directory;
  }

  static async start(): Promise<Arena> {
    const directory = await mkdtemp(join(tmpdir(), 'redis-pool-chaos-'));
    const aclFile = join(directory, 'users.acl');
    const app = `user ${USER} on >${passwordOf(1)} ~* &* +@all`;
    await writeFile(aclFile, `user default on nopass ~* &* +@all\n${app}\n`);
    // Nothing that was acknowledged is lost by a kill: what is missing afterwards is the pool's doing.
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    // So that a server that loads answers, with LOADING, early and often.
    const loading = ['--loading-process-events-interval-bytes', '1024', '--rdbcompression', 'no'];
    const server = await startRedis({ args: ['--aclfile', aclFile, ...durable, ...loading] });
    return new Arena(server, await RemoteProxy.start(server), directory);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.proxy.port}`;
  }

  /** What the application logs in with. */
  readonly credentials = (): Credentials => ({ username: USER, password: this.#known });

  get user(): string {
    return USER;
  }

  /** A command straight to the server, past the network; again when it had no answer. */
  async admin(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.server.adminCommand(name, ...args);
      } catch (error) {
        if (isErrorReply(error) || tries === ADMIN_TRIES) throw error;
        await sleep(100);
      }
    }
  }

  /** Gives the user another password. The old one is refused from now on, unless `keepOld`. */
  async changePassword({ keepOld }: { readonly keepOld: boolean }): Promise<void> {
    this.#passwords += 1;
    this.#password = passwordOf(this.#passwords);
    await this.changeUser(...(keepOld ? [] : ['resetpass']), `>${this.#password}`);
  }

  /** The application learns the password of the server. */
  tellPassword(): void {
    this.#known = this.#password;
  }

  /** Only the last password is accepted. */
  async forgetOldPasswords(): Promise<void> {
    await this.changeUser('resetpass', `>${this.#password}`);
  }

  /** Changes the user's rules; they outlive the process. */
  async changeUser(...rules: readonly string[]): Promise<void> {
    await this.admin('ACL', 'SETUSER', USER, ...rules);
    await this.admin('ACL', 'SAVE');
  }

  async stop(): Promise<void> {
    await this.proxy.close();
    await this.server.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function passwordOf(number: number): string {
  return `${SECRET_MARK}${number}`;
}
