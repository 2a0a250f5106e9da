import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { Command } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisPool } from '../../src/index.js';
import { callsAt, errorOf, untilParked, usePools } from './lease-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const open = usePools();

beforeAll(async () => {
  server = await startRedis();
  // They hold for the whole process, which is that of this file alone.
  for (const name of ['blpop', 'xread', 'xrevrange'])
    Command.setReplyTransformer(name, (reply) => ({ of: reply }));
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.adminCommand('FLUSHALL');
  await server.adminCommand('CONFIG', 'RESETSTAT');
  await server.adminCommand('XADD', 'stream', '1-1', 'before', 'x');
});

/** Of which a wait is asked for in slices of 1 s. */
function openPool(): RedisPool {
  return open({ url: server.url, heartbeatMs: 100 });
}

// Regression: what a transformer made of an empty slice ended the wait, and what it made of entries was read as an ID.
describe('a parked command whose replies a transformer changes', () => {
  test.each<[what: string, call: (pool: RedisPool) => Promise<unknown>, outcome: unknown]>([
    ['BLPOP', (pool) => pool.blpop('list', 2.5), { of: null }],
    ['BLPOP on a lease', (pool) => pool.lease((lease) => lease.blpop('list', 2.5)), { of: null }],
    ['a pipeline', (pool) => pool.pipeline().blpop('list', 2.5).exec(), [[null, { of: null }]]],
    ['XREAD', (pool) => pool.xread('BLOCK', 2_500, 'STREAMS', 'stream', '$'), { of: null }],
  ])('%s ends at its own time, with what the transformer makes of it', async (_, call, outcome) => {
    const pool = openPool();
    const begunAt = performance.now();
    expect(await call(pool)).toEqual(outcome);
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(2_490);
  });

  test('gets what comes later, changed once', async () => {
    const pool = openPool();
    const running = Promise.all([pool.xread('BLOCK', 0, 'STREAMS', 'stream', '$'), pool.blpop('list', 0)]);
    await waitUntil(async () => ((await callsAt(server)).get('xread') ?? 0) >= 2, { what: 'two slices' });
    await server.adminCommand('XADD', 'stream', '1-2', 'after', 'x');
    await server.adminCommand('RPUSH', 'list', 'x');
    expect(await running).toEqual([{ of: ['stream', [['1-2', ['after', 'x']]]] }, { of: ['list', 'x'] }]);
  });

  test('rejects with the reason of an abort', async () => {
    const pool = openPool();
    const controller = new AbortController();
    const aborted = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
    await untilParked(server, 1);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await aborted).toBe(reason);
  });
});
