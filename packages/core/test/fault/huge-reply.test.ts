import { constants } from 'node:buffer';
import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectIdle, outcomeOf, useLink, usePools } from './pool-harness.js';

/** The largest value of Redis: a few bytes more than the longest string of V8. */
const HUGE = 512 * 1024 * 1024;

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
  await server.adminCommand('SETRANGE', 'huge', HUGE - 1, 'x');
  await server.adminCommand('SET', 'small', 'value');
});
afterAll(() => server.stop());

describe('a reply that no string can hold', () => {
  // ioredis, on the public link, decodes to Buffers first.
  useLink('direct');

  test('fails its own command, and nobody else on the connection', async () => {
    expect(HUGE).toBeGreaterThan(constants.MAX_STRING_LENGTH);
    const pool = openPool({ url: server.url, commandTimeoutMs: 15_000, retryReads: 0 });
    await pool.ready();
    const calls = [pool.get('small'), pool.get('huge'), pool.get('small'), pool.strlen('huge')].map(
      outcomeOf,
    );
    const [before, huge, ...after] = await Promise.all(calls);
    expect(before).toMatchObject({ value: 'value' });
    expect(huge?.error).toMatchObject({ code: 'ERR_STRING_TOO_LONG' });
    expect(after.map(({ value }) => value)).toEqual(['value', HUGE]);
    expect(pool.stats()).toMatchObject({ lostConnections: 0 });
    expectIdle(pool);
  });
});
