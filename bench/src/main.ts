import { type CliOptions, PUBLISHED, parseCliOptions, USAGE } from './cli-options.js';
import { machineFacts } from './machine/machine-facts.js';
import { writePage } from './page/write-page.js';
import { textReport } from './report/text-report.js';
import { emptyResults, resumeResults } from './results/results-file.js';
import { BenchServer } from './run/bench-server.js';
import type { Job } from './run/job.js';
import { fullMatrix, quickMatrix } from './run/matrix.js';
import { ProgressLine } from './run/progress-line.js';
import { runJobs } from './run/run-jobs.js';

await main(parseCliOptions(process.argv.slice(2)));

async function main(options: CliOptions): Promise<void> {
  const jobs = (options.quick ? quickMatrix() : fullMatrix()).filter(({ id }) => options.only.test(id));
  if (options.help) print(USAGE);
  else if (options.list) print(jobs.map(({ id }) => id).join('\n'));
  else if (options.page) writePage(PUBLISHED);
  else await measure(jobs, options);
}

async function measure(jobs: readonly Job[], options: CliOptions): Promise<void> {
  if (jobs.length === 0)
    throw new Error(`--only ${options.only.source} leaves nothing to measure; see --list`);
  await using server = await BenchServer.start();
  const { json: path, timing, loadGenerator } = options;
  const machine = machineFacts(await server.version());
  const results = options.fresh ? emptyResults(machine) : resumeResults(path, machine);
  const progressLine = new ProgressLine();
  const progress = (text: string) => progressLine.show(text);
  const context = { server, timing, loadGenerator, progress };
  await runJobs(jobs, { context, progress: progressLine, results, path });
  print(`${textReport(results)}\nResults: ${path}`);
  if (options.publish) writePage(path);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
