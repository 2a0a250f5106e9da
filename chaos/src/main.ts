import { runChaos } from './chaos.js';
import { type CliOptions, parseCliOptions, USAGE } from './cli-options.js';
import { describeStep, planFaults } from './faults/fault-plan.js';
import { ProgressLine } from './progress-line.js';
import { textReport } from './report.js';

// 1 is for what did not hold.
const EXIT_BROKEN_RUN = 2;

try {
  await main(parseCliOptions(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = EXIT_BROKEN_RUN;
}

async function main(options: CliOptions): Promise<void> {
  if (options.help) print(USAGE);
  else if (options.list) print(options.kinds.map(({ name }) => name).join('\n'));
  else if (options.plan > 0) printPlan(options);
  else await run(options);
}

function printPlan(options: CliOptions): void {
  for (const step of planFaults(options)) {
    if (step.index >= options.plan) return;
    print(describeStep(step));
  }
}

async function run(options: CliOptions): Promise<void> {
  print(`Chaos for ${(options.ms / 60_000).toFixed(1)} min, seed ${options.seed}`);
  const line = new ProgressLine(process.stderr);
  const report = await runChaos({ ...options, onProgress: (progress) => line.show(progress) });
  line.clear();
  print(textReport(report));
  if (report.violations.total > 0) process.exitCode = 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
