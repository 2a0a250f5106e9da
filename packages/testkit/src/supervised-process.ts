import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { hasCode } from './error-code.js';

// $1 is the directory to remove when the parent is gone, the rest is the command.
// - stdin is the lifeline: nobody writes to it, so `read` returns when the parent has closed it, also by dying.
//   The watchdog then kills the command, frozen or not, and removes the directory.
// - fd 3 tells the parent the pid of the command itself.
// - The trap keeps the last `kill` from stopping a watchdog that is in the middle of its work.
const SUPERVISOR = `
directory=$1; shift
exec 4<&0 </dev/null
"$@" 3>&- 4<&- &
command=$!
(read -r _ <&4; trap '' TERM; kill -9 "$command"; rm -rf "$directory") >/dev/null 2>&1 3>&- &
watchdog=$!
echo "$command" >&3
exec 3>&- 4<&-
wait "$command"
status=$?
kill -TERM "$watchdog" 2>/dev/null
exit "$status"
`;

/** How to start a {@link SupervisedProcess}. */
export interface SupervisedCommand {
  /** The binary and its arguments. */
  readonly command: readonly string[];
  /** Working directory of the command; removed when this process dies without having stopped the command. */
  readonly directory: string;
  /** File that gets stdout and stderr; emptied first. */
  readonly outputPath: string;
}

/** A process that cannot outlive this one, however this one ends. */
export class SupervisedProcess {
  /** The pid of the command itself, not of its supervisor. */
  readonly pid: number;
  /** Resolves when the command is gone and reaped. */
  readonly exited: Promise<void>;
  #alive = true;

  constructor(pid: number, exited: Promise<void>) {
    this.pid = pid;
    this.exited = exited.then(() => {
      this.#alive = false;
    });
  }

  /** False once the command has ended. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Sends a signal to the command; does nothing when it has ended. */
  signal(name: NodeJS.Signals): void {
    if (!this.#alive) return;
    try {
      process.kill(this.pid, name);
    } catch (error) {
      // Ended a moment ago: the exit of its supervisor is on its way to us.
      if (!hasCode(error, 'ESRCH')) throw error;
    }
  }

  /** Ends the command with SIGKILL, frozen or not, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }
}

/** Starts a command under a supervisor; resolves as soon as its pid is known. */
export async function spawnSupervised(options: SupervisedCommand): Promise<SupervisedProcess> {
  const supervisor = spawnSupervisor(options);
  const exited = untilExit(supervisor);
  const [pid] = await Promise.all([readPid(supervisor), once(supervisor, 'spawn')]);
  return new SupervisedProcess(pid, exited);
}

// Detached: a Ctrl-C in the terminal is for this process, which may still need its servers to shut down well.
function spawnSupervisor({ command, directory, outputPath }: SupervisedCommand): ChildProcess {
  const output = openSync(outputPath, 'w');
  try {
    return spawn('/bin/sh', ['-c', SUPERVISOR, 'redis-supervisor', directory, ...command], {
      cwd: directory,
      detached: true,
      stdio: ['pipe', output, output, 'pipe'],
    });
  } finally {
    closeSync(output);
  }
}

function untilExit(supervisor: ChildProcess): Promise<void> {
  supervisor.stdin?.on('error', () => {});
  return new Promise((resolve) => {
    supervisor.once('exit', () => {
      // Not fd 3: of a command that ends at once, the pid may still be unread. It ends by itself.
      supervisor.stdin?.destroy();
      resolve();
    });
  });
}

async function readPid(supervisor: ChildProcess): Promise<number> {
  let text = '';
  for await (const chunk of supervisor.stdio[3] as Readable) text += String(chunk);
  const pid = Number(text);
  if (pid > 0) return pid;
  throw new Error(`The supervisor of redis-server told no pid, but "${text}"`);
}
