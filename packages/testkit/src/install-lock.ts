import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasCode } from './error-code.js';
import { waitUntil } from './wait-until.js';

const LOCK_TIMEOUT_MS = 600_000;
const UNSIGNED_LOCK_MS = 10_000;

/** Where the lock of the installation is: one for all processes of this machine. */
const INSTALL_LOCK = join(tmpdir(), 'redis-pool-testkit-install.lock');

/**
 * Runs `work` while no other process of this machine does.
 * The lock of a process that died is taken over; a live one is waited for, up to 10 minutes.
 */
export async function withInstallLock<T>(work: () => Promise<T>, path = INSTALL_LOCK): Promise<T> {
  await waitUntil(() => tryLock(path), {
    timeoutMs: LOCK_TIMEOUT_MS,
    what: `the other installation of redis-server ends (lock: ${path})`,
  });
  try {
    return await work();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    if (await isStale(path)) await discard(path);
    return false;
  }
  await writeFile(join(path, 'pid'), String(process.pid));
  return true;
}

async function isStale(path: string): Promise<boolean> {
  try {
    const pid = Number(await readFile(join(path, 'pid'), 'utf8').catch(() => '0'));
    if (pid > 0) return !isAlive(pid);
    return Date.now() - (await stat(path)).mtimeMs > UNSIGNED_LOCK_MS;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

// Renamed first: of several processes that find the same dead lock, one takes it away and the others get ENOENT.
async function discard(path: string): Promise<void> {
  const away = `${path}.${process.pid}`;
  try {
    await rename(path, away);
    await rm(away, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}
