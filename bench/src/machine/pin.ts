import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Puts the server on the last core and the client on the others (Linux). Where the scheduler happens to put them
 * decides the figures of few callers: on one core they take turns, on two each has to wake the other, which takes
 * several times as long, and it changes its mind whenever something else runs.
 *
 * @throws when there is no `taskset` (util-linux) or only one core
 */
export async function pinApart(pids: { readonly client: number; readonly server: number }): Promise<void> {
  const last = cpus().length - 1;
  if (last < 1) throw new Error('--pin needs two cores');
  await pin(pids.server, String(last));
  await pin(pids.client, `0-${last - 1}`);
}

/** Lets a process run on all cores again. */
export function unpin(pid: number): Promise<void> {
  return pin(pid, `0-${cpus().length - 1}`);
}

async function pin(pid: number, cores: string): Promise<void> {
  await run('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)]);
}
