import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { onAbort } from './on-abort.js';

test('a signal has one listener however many watch it, and none when nobody does', () => {
  const { signal } = new AbortController();
  const stops = Array.from({ length: 20 }, () => onAbort(signal, () => {}));
  expect(getEventListeners(signal, 'abort').length).toBe(1);
  for (const stop of stops.slice(1)) stop();
  expect(getEventListeners(signal, 'abort').length).toBe(1);
  stops[0]?.();
  stops[0]?.();
  expect(getEventListeners(signal, 'abort').length).toBe(0);
});

test('calls everybody who still watches', () => {
  const controller = new AbortController();
  const called: string[] = [];
  const stopB = onAbort(controller.signal, () => called.push('b'));
  onAbort(controller.signal, () => called.push('a'));
  stopB();
  const stopC = onAbort(controller.signal, () => {
    called.push('c');
    stopC();
  });
  onAbort(controller.signal, () => called.push('d'));
  controller.abort();
  expect(called).toEqual(['a', 'c', 'd']);
});

test('watches again after nobody did', () => {
  const controller = new AbortController();
  onAbort(controller.signal, () => {})();
  let called = 0;
  onAbort(controller.signal, () => {
    called += 1;
  });
  controller.abort();
  expect(called).toBe(1);
});
