import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '@redis-pool/testkit';
import type { ClosingReport } from '../src/index.js';

const PROGRAM = fileURLToPath(new URL('fixtures/server.mjs', import.meta.url));

/** What the program prints. */
interface Printed {
  readonly port?: number;
  readonly never?: true;
  readonly worker?: 'ended';
  readonly report?: ClosingReport;
  readonly seen?: { readonly begun: number; readonly answered: number };
}

/** An application in a process of its own. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #printed: Printed[] = [];
  readonly #exited: Promise<unknown[]>;

  constructor(env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#exited = once(this.#child, 'exit');
    if (this.#child.stdout === null) throw new Error('It has no output');
    createInterface(this.#child.stdout).on('line', (line) => this.#printed.push(JSON.parse(line)));
  }

  /** The address of the application. */
  async url(): Promise<string> {
    return `http://127.0.0.1:${await this.told('port')}`;
  }

  /** What the program has printed under that name. */
  async told<Name extends keyof Printed>(name: Name): Promise<NonNullable<Printed[Name]>> {
    const value = (): Printed[Name] | undefined =>
      this.#printed.find((event) => event[name] !== undefined)?.[name];
    return (await waitUntil(value, { what: `the program tells "${name}"`, timeoutMs: 15_000 })) as never;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with its exit code, or the signal that has ended it. */
  async exited(): Promise<unknown> {
    const [code, signal] = await this.#exited;
    return code ?? signal;
  }

  /** Ends it also when its test failed. */
  async abandon(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
