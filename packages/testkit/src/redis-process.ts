import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdminConnection } from './admin-connection.js';
import { type RedisLaunch, redisArguments } from './redis-launch.js';
import { lastLines } from './run-command.js';
import { type SupervisedProcess, spawnSupervised } from './supervised-process.js';
import { waitUntil } from './wait-until.js';

const READY_TIMEOUT_MS = 15_000;
const OUTPUT_FILE = 'output.log';

/** The error of a server whose port was in use when it tried to bind it. */
class PortTakenError extends Error {
  /** As a bind of this process itself would say it; see {@link retryWhilePortTaken}. */
  readonly code = 'EADDRINUSE';
}

/**
 * Starts redis-server and resolves when it serves commands, with no connection of ours left on it.
 *
 * @throws Error with the last output of the server; its code is EADDRINUSE when the port is in use
 */
export async function launchRedis(launch: RedisLaunch, admin: AdminConnection): Promise<SupervisedProcess> {
  const process = await spawnSupervised({
    command: [launch.binary, ...redisArguments(launch)],
    directory: launch.directory,
    outputPath: join(launch.directory, OUTPUT_FILE),
  });
  try {
    await untilServing(process, launch, admin);
    return process;
  } catch (error) {
    await process.kill();
    throw await withOutput(error, launch);
  } finally {
    admin.close();
  }
}

/** Waits, up to 15 s, until this very process answers PING and has loaded its data. */
export async function untilServing(
  process: SupervisedProcess,
  { host, port }: RedisLaunch,
  admin: AdminConnection,
): Promise<void> {
  const condition = () => {
    if (!process.alive) throw new Error(`redis-server on ${host}:${port} has exited`);
    return isServing(process, admin);
  };
  await waitUntil(condition, {
    timeoutMs: READY_TIMEOUT_MS,
    what: `redis-server answers on ${host}:${port}`,
  });
}

// The pid is compared because a server of somebody else may have taken the port before ours could bind it.
async function isServing(process: SupervisedProcess, admin: AdminConnection): Promise<boolean> {
  try {
    const pong = await admin.run('PING');
    const info = String(await admin.run('INFO', 'server'));
    return pong === 'PONG' && info.includes(`process_id:${process.pid}\r\n`);
  } catch {
    admin.close();
    return false;
  }
}

async function withOutput(cause: unknown, { directory, port }: RedisLaunch): Promise<Error> {
  const output = await readFile(join(directory, OUTPUT_FILE), 'utf8').catch(() => '');
  const message = `redis-server did not start on port ${port}. Its last output:\n${lastLines(output, 15)}`;
  const taken = /address already in use/i.test(output);
  return taken ? new PortTakenError(message, { cause }) : new Error(message, { cause });
}
