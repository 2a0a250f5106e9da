import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ShutdownHooksCheck } from './shutdown-hooks-check.js';

const others = process.listeners('SIGTERM');
const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
const check = new ShutdownHooksCheck();

beforeEach(() => {
  vi.useFakeTimers();
  process.removeAllListeners('SIGTERM');
});
afterEach(() => {
  check.stop();
  process.removeAllListeners('SIGTERM');
  for (const listener of others) process.on('SIGTERM', listener);
  vi.useRealTimers();
  warn.mockClear();
});

test('warns once when nobody listens for SIGTERM', () => {
  check.start();
  vi.advanceTimersByTime(60_000);
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('Nothing listens for SIGTERM'));
});

test('says nothing when somebody does, also from a moment after the start on', () => {
  check.start();
  vi.advanceTimersByTime(1_000);
  process.on('SIGTERM', () => {});
  vi.advanceTimersByTime(60_000);
  expect(warn).not.toHaveBeenCalled();
});

test('says nothing about an application that has closed', () => {
  check.start();
  check.stop();
  vi.advanceTimersByTime(60_000);
  expect(warn).not.toHaveBeenCalled();
});
