// The one test command: everything that has to hold before a change lands, with a line of counts at the end.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, tool } from './run.mjs';

/** Each of these is one check in the count. */
const CHECKS = [
  { name: 'build', command: [tool('tsc'), '-b'] },
  { name: 'lint and format', command: [tool('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'types of tests and scripts', command: [tool('tsc'), '-p', 'tsconfig.check.json'] },
  { name: 'unused code and dependencies', command: [tool('knip')] },
  { name: 'packed packages', command: [process.execPath, 'scripts/check-packages.mjs'] },
];

const startedAt = performance.now();
const counts = { passed: 0, failed: 0 };

for (const check of CHECKS) {
  await countCheck(check.name, () => run(check.command));
  // Without a build nothing that follows says anything.
  if (counts.failed > 0 && check.name === 'build') finish();
}
await countCheck('a redis-server to test with', ensureServer);
await countTests();
finish();

async function countCheck(name, action) {
  const begunAt = performance.now();
  const { code, output } = await action();
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name} (${seconds} s)`);
  if (code === 0) counts.passed += 1;
  else {
    counts.failed += 1;
    console.log(output);
  }
}

async function ensureServer() {
  try {
    const { ensureRedisServer } = await import('../packages/testkit/dist/index.js');
    await ensureRedisServer({ log: (line) => console.log(`      ${line}`) });
    return { code: 0, output: '' };
  } catch (error) {
    return { code: 1, output: error instanceof Error ? error.message : String(error) };
  }
}

async function countTests() {
  const directory = await mkdtemp(join(tmpdir(), 'redis-pool-test-'));
  const report = join(directory, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { code } = await run([tool('vitest'), 'run', ...reporters, ...process.argv.slice(2)], { show: true });
  const results = await readFile(report, 'utf8').then(JSON.parse, () => undefined);
  await rm(directory, { recursive: true, force: true });
  counts.passed += results?.numPassedTests ?? 0;
  counts.failed += results?.numFailedTests ?? 0;
  // A file that does not load, an unhandled error or no report at all is a failure too.
  const failedFiles =
    results?.testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
    ).length ?? 1;
  counts.failed += failedFiles;
  if (code !== 0 && counts.failed === 0) counts.failed += 1;
}

function finish() {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`\nAll checks and tests ran in ${seconds} s.`);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exit(counts.failed === 0 ? 0 : 1);
}
