import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from '@redis-pool/testkit';
import type { Credentials } from '../../src/index.js';

export interface TokenTimes {
  /** Between two tokens. */
  readonly everyMs: number;
  /** How long a token holds when the next one is there already. */
  readonly overlapMs: number;
  /**
   * `one`: all tokens are passwords of one user, and the server forgets them one by one. `each`: a token has a user of its
   * own, who is removed with it, which ends the connections that are still his.
   */
  readonly users: 'one' | 'each';
}

/** Hands out tokens for some servers, as cloud services do: each holds for a short time. */
export class TokenService {
  /** Tokens handed out by {@link credentials}. */
  readonly seen = new Set<string>();
  readonly #servers: readonly RedisServer[];
  readonly #times: TokenTimes;
  readonly #end = new AbortController();
  #version = 0;
  #issuedAt = 0;
  #running: Promise<void> = Promise.resolve();

  private constructor(servers: readonly RedisServer[], times: TokenTimes) {
    this.#servers = servers;
    this.#times = times;
  }

  static async start(servers: readonly RedisServer[], times: TokenTimes): Promise<TokenService> {
    const service = new TokenService(servers, times);
    await service.#admit(0);
    service.#issuedAt = performance.now();
    service.#running = service.#rotate();
    return service;
  }

  /** Times that a new token took the place of another one. */
  get rotations(): number {
    return this.#version;
  }

  readonly credentials = async (): Promise<Credentials> => {
    const { everyMs, overlapMs } = this.#times;
    const password = tokenOf(this.#version);
    this.seen.add(password);
    const endsAt = this.#issuedAt + everyMs + overlapMs;
    return {
      username: this.#userOf(this.#version),
      password,
      validForMs: Math.max(1, endsAt - performance.now()),
    };
  };

  /** Ends the rotation and removes the users. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
    for (const version of [this.#version - 1, this.#version])
      await this.#atAll('DELUSER', this.#userOf(version));
  }

  async #rotate(): Promise<void> {
    const { everyMs, overlapMs } = this.#times;
    while (await this.#pause(this.#issuedAt + everyMs)) {
      // Known to every server before anybody hears of it.
      await this.#admit(this.#version + 1);
      const goneAt = this.#issuedAt + everyMs + overlapMs;
      this.#version += 1;
      this.#issuedAt = performance.now();
      if (await this.#pause(goneAt)) await this.#refuse(this.#version - 1);
    }
  }

  /** `false` at the end. */
  #pause(until: number): Promise<boolean> {
    const ms = Math.max(0, until - performance.now());
    return sleep(ms, true, { signal: this.#end.signal }).catch(() => false);
  }

  #admit(version: number): Promise<void> {
    const rules = ['on', '~*', '&*', '+@all', `>${tokenOf(version)}`];
    return this.#atAll('SETUSER', this.#userOf(version), ...rules);
  }

  #refuse(version: number): Promise<void> {
    if (this.#times.users === 'each') return this.#atAll('DELUSER', this.#userOf(version));
    return this.#atAll('SETUSER', this.#userOf(version), `<${tokenOf(version)}`);
  }

  #userOf(version: number): string {
    return this.#times.users === 'one' ? 'app' : `app-${version}`;
  }

  async #atAll(...command: readonly string[]): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.adminCommand('ACL', ...command)));
  }
}

/** The first one is number 0. */
export function tokenOf(version: number): string {
  return `token-${version}`;
}
