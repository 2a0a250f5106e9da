import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, usePools } from './pool-harness.js';

// Redis 7.0 crashes when a client that CLIENT PAUSE holds back is unblocked; a failover pauses clients as well.

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
afterEach(async () => {
  await server.adminCommand('CLIENT', 'UNPAUSE');
});

async function untilHeldBack(clients: number): Promise<void> {
  const count = async () => (await server.clients()).filter(({ flags }) => flags.includes('b')).length;
  await waitUntil(async () => (await count()) === clients, { what: `${clients} clients are held back` });
}

/** Cancels a pop that the server holds back from its first moment on; resolves when the UNBLOCK is held back too. */
async function cancelWhilePaused(pool: ReturnType<typeof openPool>): Promise<{ popping: Promise<unknown> }> {
  // A lease is there already: connecting is not what is tested.
  await pool.lease((lease) => lease.ping());
  await server.adminCommand('CLIENT', 'PAUSE', 60_000, 'WRITE');
  const controller = new AbortController();
  const popping = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
  await untilHeldBack(1);
  controller.abort(new Error('gone'));
  await untilHeldBack(2);
  return { popping };
}

describe.each([1, 2])('with %i lanes', (lanes) => {
  test('a pop that is cancelled while the server pauses ends with the pause, and keeps its connection', async () => {
    const pool = openPool({ url: server.url, lanes });
    const { popping } = await cancelWhilePaused(pool);
    await server.adminCommand('CLIENT', 'UNPAUSE');
    expect(await popping).toMatchObject({ message: 'gone' });
    await waitUntil(() => pool.stats().leases.idle === 1, { what: 'the connection is back' });
    expect(server.status).toBe('running');
  });

  test('a pop that is cancelled in a long pause ends without it, takes no element, and the server lives', async () => {
    const pool = openPool({ url: server.url, lanes, commandTimeoutMs: 3_000 });
    const { popping } = await cancelWhilePaused(pool);
    expect(await popping).toMatchObject({ message: 'gone' });
    await server.adminCommand('CLIENT', 'UNPAUSE');
    expect(await pool.rpush('list', 'element')).toBe(1);
    expect(await pool.lpop('list')).toBe('element');
    expect(server.status).toBe('running');
  });
});

test('a user who may not run the guard of UNBLOCK waits in slices, and a pop ends all the same', async () => {
  await server.adminCommand('ACL', 'SETUSER', 'no-eval', 'on', '>pw', '~*', '&*', '+@all', '-eval');
  const pool = openPool({ url: `redis://no-eval:pw@${server.host}:${server.port}` });
  const controller = new AbortController();
  const popping = errorOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
  await waitUntil(() => pool.stats().leases.blocking === 1, { what: 'it waits' });
  await server.adminCommand('CONFIG', 'RESETSTAT');
  controller.abort(new Error('gone'));
  expect(await popping).toMatchObject({ message: 'gone' });
  expect(String(await server.adminCommand('INFO', 'commandstats'))).not.toContain('client|unblock');
});
