// Tokens that rotate every second under load, for a minute on one server and on a cluster, with both protocols:
//   pnpm --filter @redis-pool/core long:rotation
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const file = 'packages/core/test/rotation/rotation.test.ts';
const vitest = spawn('node_modules/.bin/vitest', ['run', file, '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ROTATION_MS: '60000',
    ROTATION_CLUSTER_MS: '20000',
    ROTATION_EVERY_MS: '1000',
    ROTATION_CALLERS: '96',
    ROTATION_PROGRESS: '1',
    ...process.env,
  },
});
vitest.on('close', (code) => {
  process.exitCode = code ?? 1;
});
