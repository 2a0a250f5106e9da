import { setTimeout as sleep } from 'node:timers/promises';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { fairTimeout } from './fair-timeout.js';

useLeakCheck();

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test('ends after its time, and not before', async () => {
  const startedAt = performance.now();
  await new Promise<void>((resolve) => fairTimeout(80, resolve));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(79);
});

test('does not count what the application blocked', async () => {
  let isOver = false;
  fairTimeout(80, () => {
    isOver = true;
  });
  block(200);
  // One slice has passed, and with it the block.
  await sleep(20);
  expect(isOver).toBe(false);
  await sleep(200);
  expect(isOver).toBe(true);
});

test('called off, it never comes, at whatever moment that is', async () => {
  let calls = 0;
  const cancels = Array.from({ length: 20 }, (_, index) => fairTimeout(index, () => calls++));
  for (const cancel of cancels) cancel();
  await sleep(40);
  expect(calls).toBe(0);
});
