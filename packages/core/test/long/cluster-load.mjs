// The long run of the cluster under load: 1,000 slots change hands, then a master dies.
//   pnpm --filter @redis-pool/core long:cluster
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const file = 'packages/core/test/cluster/under-load.test.ts';
const vitest = spawn('node_modules/.bin/vitest', ['run', file, '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    CLUSTER_SLOTS: '1000',
    CLUSTER_ROUNDS: '50',
    CLUSTER_LIMIT_MS: '600000',
    CLUSTER_PROGRESS: '1',
    ...process.env,
  },
});
vitest.on('close', (code) => {
  process.exitCode = code ?? 1;
});
