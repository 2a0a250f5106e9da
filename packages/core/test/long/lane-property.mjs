// The long runs of the property tests of the lanes, with a line of progress each second:
//   pnpm --filter @redis-pool/core long:order    1,000,000 commands, 10,000 callers detached
//   pnpm --filter @redis-pool/core long:once     10,000 rounds of faults
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const RUNS = {
  order: { file: 'lane-order', env: { LANE_COMMANDS: '1000000', LANE_ABORTS: '10000' } },
  once: { file: 'lane-at-most-once', env: { LANE_ROUNDS: '10000' } },
};

const [, , name = ''] = process.argv;
const run = RUNS[name];
if (run === undefined) throw new Error(`Name a run: ${Object.keys(RUNS).join(' or ')}`);

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const file = `packages/core/test/property/${run.file}.test.ts`;
const vitest = spawn('node_modules/.bin/vitest', ['run', file, '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...run.env, LANE_PROGRESS: '1', ...process.env },
});
vitest.on('close', (code) => {
  process.exitCode = code ?? 1;
});
