import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '@redis-pool/testkit';
import type { Environment } from './harness.js';

const EXAMPLES = new URL('../../', import.meta.url);

/** A template as it runs in production: its compiled server, in a process of its own. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #name: string;
  #output = '';

  constructor(name: string, env: Environment) {
    const file = fileURLToPath(new URL(`${name}/dist/server.js`, EXAMPLES));
    this.#name = name;
    this.#child = spawn(process.execPath, ['--enable-source-maps', file], {
      env: { PATH: process.env.PATH, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output += chunk;
      });
    }
  }

  /** Everything it logged. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with its address as soon as it listens. */
  listening(): Promise<string> {
    const what = `the server of ${this.#name} listens`;
    return waitUntil(
      () => {
        if (this.#child.exitCode !== null) throw new Error(`It ended without listening:\n${this.#output}`);
        return /http:\/\/127\.0\.0\.1:\d+/.exec(this.#output)?.[0];
      },
      { timeoutMs: 15_000, what },
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves with its exit code, or the signal that ended it. */
  async exited(): Promise<number | NodeJS.Signals> {
    const [code, signal] = await this.#exited;
    return (code ?? signal) as number | NodeJS.Signals;
  }

  /** Ends it at once, as a crash would; nothing happens when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
