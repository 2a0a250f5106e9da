import { type RedisServer, startRedis } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { errorOf, LINKS, useLink, usePools } from './pool-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
});

async function openAs(user: string, ...rules: string[]): Promise<RedisPool> {
  await server.adminCommand('ACL', 'SETUSER', user, 'reset', 'on', '>pw', '~*', '+@all', ...rules);
  return openPool({ url: `redis://${user}:pw@${server.host}:${server.port}` });
}

const chains: [name: string, run: (pool: RedisPool) => Promise<unknown>][] = [
  ['multi().exec()', (pool) => pool.multi().incr('key').get('key').exec()],
  ['multi().execOrThrow()', (pool) => pool.multi().incr('key').get('key').execOrThrow()],
  ['a lease', (pool) => pool.lease((lease) => lease.multi().incr('key').exec())],
  ['transaction()', (pool) => pool.transaction(['key'], (_, queue) => void queue.incr('key'))],
];

describe.each(LINKS)('a refused MULTI over the %s link', (link) => {
  useLink(link);

  test.each(chains)('is what %s rejects with, and says that its commands may have run', async (_, run) => {
    const pool = await openAs('without-multi', '-multi');
    const error = await errorOf(run(pool));
    expect(error.message).toMatch(/^NOPERM.*'multi'/);
    expect(error.maybeExecuted).toBe(true);
    expect(error.previousErrors).toEqual([expect.objectContaining({ message: 'ERR EXEC without MULTI' })]);
    // They did, one by one: no client can prevent that without a round trip of its own for MULTI.
    expect(await server.adminCommand('GET', 'key')).toBe('1');
  });

  test('of a user who may do none of it says that nothing ran', async () => {
    const pool = await openAs('without-both', '-multi', '-incr');
    const error = await errorOf(pool.multi().incr('key').exec());
    expect(error.message).toMatch(/^NOPERM.*'multi'/);
    expect(error.maybeExecuted).toBe(false);
    expect(await server.adminCommand('EXISTS', 'key')).toBe(0);
  });

  test('is not what a refused EXEC is: that one discards everything', async () => {
    const pool = await openAs('without-exec', '-exec');
    const error = await errorOf(pool.multi().incr('key').exec());
    expect(error.message).toMatch(/^EXECABORT/);
    expect(error.maybeExecuted).toBeUndefined();
    expect(await server.adminCommand('EXISTS', 'key')).toBe(0);
    // The shared connection is not left inside a transaction.
    expect(await pool.set('other', 'value')).toBe('OK');
  });
});
