import { expect, test } from 'vitest';
import { waitUntil } from '../src/index.js';

test('a wait resolves with the first truthy value of the condition', async () => {
  let calls = 0;
  const condition = () => (++calls === 3 ? 'here' : undefined);
  expect(await waitUntil(condition, { what: 'it is here' })).toBe('here');
  expect(calls).toBe(3);
});

test('an asynchronous condition is awaited', async () => {
  let calls = 0;
  expect(await waitUntil(async () => ++calls > 1, { what: 'it is called twice' })).toBe(true);
});

test('a wait in vain says what was waited for and how long', async () => {
  const wait = waitUntil(() => false, { timeoutMs: 20, what: 'the moon turns blue' });
  await expect(wait).rejects.toThrow('Waited 20 ms in vain until the moon turns blue');
});

test('a condition that hangs is given up at the time limit', async () => {
  const wait = waitUntil(() => new Promise(() => {}), { timeoutMs: 20, what: 'the moon turns blue' });
  await expect(wait).rejects.toThrow('Checking that the moon turns blue took longer than');
});

test('a condition that throws ends the wait at once', async () => {
  const failure = new Error('no moon');
  let calls = 0;
  const condition = () => {
    calls++;
    throw failure;
  };
  await expect(waitUntil(condition, { what: 'the moon turns blue' })).rejects.toBe(failure);
  expect(calls).toBe(1);
});

test('a limit of 0 checks once', async () => {
  let calls = 0;
  const wait = waitUntil(() => ++calls > 1, { timeoutMs: 0, what: 'it is called twice' });
  await expect(wait).rejects.toThrow('Waited 0 ms');
  expect(calls).toBe(1);
});
