import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Linux's unit of /proc times. */
const MS_PER_TICK = 10;

/**
 * How much of the machine somebody else used during a measurement, in cores: what all cores were busy, less what
 * the processes of the measurement used. Children of theirs count once they have ended. 0 where /proc is missing.
 */
export class ForeignCpu {
  readonly #pids: readonly number[];
  readonly #startedAt = performance.now();
  readonly #busyMs = busyMs();
  readonly #oursMs: number;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#oursMs = this.#ours();
  }

  cores(): number {
    const foreign = busyMs() - this.#busyMs - (this.#ours() - this.#oursMs);
    const share = foreign / (performance.now() - this.#startedAt);
    return Math.max(0, Math.round(share * 100) / 100);
  }

  #ours(): number {
    return this.#pids.reduce((sum, pid) => sum + processMs(pid), 0);
  }
}

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0);
}

/** User and system time of a process and of its children that have ended. */
function processMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [utime, stime, childUtime, childStime] = fields.slice(11, 15).map(Number);
    return ((utime ?? 0) + (stime ?? 0) + (childUtime ?? 0) + (childStime ?? 0)) * MS_PER_TICK;
  } catch {
    return 0;
  }
}
