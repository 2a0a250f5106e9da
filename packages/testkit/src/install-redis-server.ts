import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { findExecutable } from './find-executable.js';
import { lastLines, runCommand } from './run-command.js';

const SYSTEMD_RUNS = '/run/systemd/system';
const SYSTEMD_UNIT = 'redis-server.service';
const DEFAULT_PORT = 6379;

/** A package manager that this process may use. */
export type Installer =
  | { readonly kind: 'apt'; readonly aptGet: string; readonly sudo: readonly string[] }
  | { readonly kind: 'brew'; readonly brew: string };

/** What an installation needs to know. */
export interface InstallContext {
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

/**
 * The package manager to install with: apt-get as root or with sudo that asks for no password; brew on macOS
 * for anybody but root. `undefined` where a human has to do it.
 */
export async function findInstaller(env: NodeJS.ProcessEnv): Promise<Installer | undefined> {
  const isRoot = process.getuid?.() === 0;
  const aptGet = findExecutable('apt-get', env);
  const sudo = isRoot ? [] : await passwordlessSudo(env);
  if (aptGet && sudo) return { kind: 'apt', aptGet, sudo };
  const brew = findExecutable('brew', env);
  return brew && process.platform === 'darwin' && !isRoot ? { kind: 'brew', brew } : undefined;
}

async function passwordlessSudo(env: NodeJS.ProcessEnv): Promise<readonly string[] | undefined> {
  const sudo = findExecutable('sudo', env);
  if (sudo === undefined) return undefined;
  const { ok } = await runCommand([sudo, '-n', 'true'], env);
  return ok ? [sudo, '-n'] : undefined;
}

/** The error for a machine without redis-server; names what to type. `cause` is kept when given. */
export function missingRedisServer(cause?: Error): Error {
  const message = [
    'No redis-server (or valkey-server) on the PATH. Install one, or set REDIS_SERVER_BIN to its path:',
    '  Debian, Ubuntu:  sudo apt-get install redis-server',
    '  Fedora, RHEL:    sudo dnf install redis',
    '  Alpine:          sudo apk add redis',
    '  macOS:           brew install redis',
  ].join('\n');
  return new Error(message, cause ? { cause } : undefined);
}

/** Installs redis-server. Rejects with the last lines of the package manager when it fails. */
export async function installRedisServer(installer: Installer, context: InstallContext): Promise<void> {
  const hadServer = await somethingListensOn(DEFAULT_PORT);
  context.log(`redis-server is not installed: installing it with ${installer.kind}`);
  if (installer.kind === 'brew') await run([installer.brew, 'install', 'redis'], context.env);
  else await installWithApt(installer, context.env);
  const started = !hadServer && (await somethingListensOn(DEFAULT_PORT));
  context.log(
    `redis-server is installed${started ? `; its package started a service on ${DEFAULT_PORT}` : ''}`,
  );
}

type AptInstaller = Extract<Installer, { kind: 'apt' }>;

async function installWithApt(installer: AptInstaller, env: NodeJS.ProcessEnv): Promise<void> {
  await withUnitMasked(installer, env, async () => {
    const install = aptCommand(installer, ['install', '-y', '--no-install-recommends', 'redis-server']);
    const { ok } = await runCommand(install, env);
    if (ok) return;
    await run(aptCommand(installer, ['update']), env);
    await run(install, env);
  });
}

// RUNLEVEL=1 makes invoke-rc.d believe in single-user mode, where the package's init script does not start.
function aptCommand({ aptGet, sudo }: AptInstaller, args: readonly string[]): readonly string[] {
  const variables = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  return [...sudo, '/usr/bin/env', ...variables, aptGet, '-o', 'DPkg::Lock::Timeout=120', ...args];
}

// systemd does not look at RUNLEVEL. A runtime mask lives in /run, is gone after a reboot at the latest, and
// makes deb-systemd-invoke skip the start.
async function withUnitMasked(
  { sudo }: AptInstaller,
  env: NodeJS.ProcessEnv,
  work: () => Promise<void>,
): Promise<void> {
  const systemctl = existsSync(SYSTEMD_RUNS) ? findExecutable('systemctl', env) : undefined;
  if (systemctl === undefined) return work();
  await runCommand([...sudo, systemctl, 'mask', '--runtime', SYSTEMD_UNIT], env);
  try {
    await work();
  } finally {
    await runCommand([...sudo, systemctl, 'unmask', '--runtime', SYSTEMD_UNIT], env);
  }
}

async function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { ok, output } = await runCommand(command, env);
  if (!ok) throw missingRedisServer(new Error(`${command.join(' ')} failed:\n${lastLines(output, 10)}`));
}

function somethingListensOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
