import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { waitUntil } from '../src/index.js';
import { useLeakCheck } from '../src/vitest.js';

// The parent is a plain Node program, so it runs what `tsc -b` has built.
const PARENT = fileURLToPath(new URL('fixtures/parent-of-redis.mjs', import.meta.url));

useLeakCheck();

interface Grandchild {
  readonly pid: number;
  readonly directory: string;
}

async function readGrandchild(parent: ChildProcess): Promise<Grandchild> {
  if (!parent.stdout) throw new Error('The parent has no stdout');
  for await (const line of createInterface(parent.stdout)) return JSON.parse(line) as Grandchild;
  throw new Error('The parent said nothing; has `tsc -b packages/testkit` been run?');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test.each([
  ['running', 'SIGKILL'],
  ['frozen', 'SIGKILL'],
  ['running', 'SIGTERM'],
] as const)('a %s server dies with a parent that gets %s', async (state, signal) => {
  const parent = spawn(process.execPath, [PARENT, state], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(parent, 'close');
  const { pid, directory } = await readGrandchild(parent);
  expect(isAlive(pid)).toBe(true);
  parent.kill(signal);
  await closed;
  await waitUntil(() => !isAlive(pid), { what: `redis-server (pid ${pid}) is gone` });
  await waitUntil(() => !existsSync(directory), { what: `${directory} is removed` });
});
