// 10,000 requests whose clients leave at random moments, in both modes, with a line of progress each 1,000:
//   pnpm --filter @redis-pool/fastify long:aborted
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const file = 'packages/fastify/test/contract.test.ts';
const options = ['--testNamePattern', 'aborted at random', '--disable-console-intercept'];
const vitest = spawn('node_modules/.bin/vitest', ['run', file, ...options], {
  cwd: root,
  stdio: 'inherit',
  env: { ABORTED_REQUESTS: '10000', ...process.env },
});
vitest.on('close', (code) => {
  process.exitCode = code ?? 1;
});
