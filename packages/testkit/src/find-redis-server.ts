import { resolve } from 'node:path';
import { findExecutable, isExecutable } from './find-executable.js';
import { withInstallLock } from './install-lock.js';
import {
  findInstaller,
  type InstallContext,
  installRedisServer,
  missingRedisServer,
} from './install-redis-server.js';

/** Options of {@link ensureRedisServer}. */
export interface EnsureRedisServerOptions {
  /** Gets one line before an installation and one after; nothing when none is needed. */
  readonly log: (line: string) => void;
  /** Where REDIS_SERVER_BIN and PATH are read. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The path of the server binary: `REDIS_SERVER_BIN`, else `redis-server` on the PATH, else `valkey-server`.
 * `undefined` when there is none.
 *
 * @throws Error when `REDIS_SERVER_BIN` is set to something that is not an executable file
 */
export function findRedisServer(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const configured = env.REDIS_SERVER_BIN;
  if (configured) return requireExecutable(resolve(configured));
  return findExecutable('redis-server', env) ?? findExecutable('valkey-server', env);
}

function requireExecutable(path: string): string {
  if (isExecutable(path)) return path;
  throw new Error(`REDIS_SERVER_BIN is not an executable file: ${path}`);
}

/**
 * As {@link findRedisServer}, and installs `redis-server` with the system's package manager when there is none:
 * apt-get as root or with passwordless sudo, brew on macOS. Processes that call it at once install once.
 *
 * @throws Error with the commands to type, where this process may not install or the installation fails
 */
export async function ensureRedisServer({
  log,
  env = process.env,
}: EnsureRedisServerOptions): Promise<string> {
  return findRedisServer(env) ?? (await installOnce({ log, env }));
}

async function installOnce(context: InstallContext): Promise<string> {
  const installer = await findInstaller(context.env);
  if (installer === undefined) throw missingRedisServer();
  return withInstallLock(async () => {
    if (!findRedisServer(context.env)) await installRedisServer(installer, context);
    return requireRedisServer(context.env);
  });
}

/** As {@link findRedisServer}, but throws the error with the commands to type when there is none. */
export function requireRedisServer(env: NodeJS.ProcessEnv = process.env): string {
  const path = findRedisServer(env);
  if (path === undefined) throw missingRedisServer();
  return path;
}
