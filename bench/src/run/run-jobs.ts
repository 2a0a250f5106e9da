import { ForeignCpu } from '../machine/foreign-cpu.js';
import { currentCommit } from '../machine/machine-facts.js';
import { type Results, type Stamp, writeResults } from '../results/results-file.js';
import type { Job } from './job.js';
import type { ProgressLine } from './progress-line.js';
import type { RunContext } from './run-context.js';

interface Destination {
  readonly results: Results;
  /** Written after each job: an interrupted run keeps what it has. */
  readonly path: string;
}

export async function runJobs(
  jobs: readonly Job[],
  { context, progress, results, path }: Destination & { context: RunContext; progress: ProgressLine },
): Promise<void> {
  const commit = currentCommit();
  progress.start(jobs.length);
  for (const job of jobs) {
    const foreign = new ForeignCpu([process.pid, context.server.pid]);
    const startedAt = performance.now();
    const store = await job.measure(context);
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    const stamp: Stamp = {
      measuredAt: new Date().toISOString(),
      commit,
      foreignCores: foreign.cores(),
      seconds,
    };
    store(results, stamp);
    writeResults(path, results);
    progress.finished(`${job.id} (${seconds} s, others used ${stamp.foreignCores} cores)`);
  }
}
