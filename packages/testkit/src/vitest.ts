import { afterEach, beforeEach } from 'vitest';
import { type LeakCheckOptions, leakCheck } from './leak-check.js';
import type { RedisServer } from './redis-server.js';

/**
 * Puts a leak check around every test of the file or `describe` block that it is called in; see `leakCheck()`.
 * Call it before any other `beforeEach` and `afterEach`: it then starts first, and ends after all of their
 * cleaning up. The servers must be running when the first test begins (`beforeAll`).
 */
export function useLeakCheck(
  servers: () => readonly RedisServer[] = () => [],
  options: Omit<LeakCheckOptions, 'servers'> = {},
): void {
  const check = leakCheck({ ...options, servers });
  beforeEach(() => check.before());
  afterEach(() => check.after());
}
