import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCommand } from '../src/run-command.js';

const VITEST = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url));

test('useLeakCheck fails the test that leaked and no other', async () => {
  const command = [process.execPath, VITEST, 'run', '--root', FIXTURES, '--reporter', 'verbose'];
  const { ok, output } = await runCommand(command, { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined });
  expect(ok).toBe(false);
  expect(output).toMatch(/✓.*is clean/);
  expect(output).toMatch(/×.*leaks a connection/);
  expect(output).toContain('"leaky:one"');
  expect(output).not.toContain('"clean:one"');
});
