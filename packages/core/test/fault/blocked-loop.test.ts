import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { block, outcomeOf, usePools } from './pool-harness.js';

/** Longer than a server may take to end a wait. */
const BLOCKED_MS = 1_200;

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

async function untilParked(): Promise<void> {
  const isParked = async () => (await server.clients()).some(({ flags }) => flags.includes('b'));
  await waitUntil(isParked, { what: 'a client waits at the server' });
}

test.each([
  ['alone', (redis: Popper) => redis.blpop('list', 0)],
  ['in a pipeline', (redis: Popper) => redis.pipeline().blpop('list', 0).exec()],
])('an element that came while the event loop was blocked reaches its cancelled pop %s', async (_, pop) => {
  const pool = openPool({ url: server.url });
  const controller = new AbortController();
  const popping = outcomeOf(pop(pool.scope({ signal: controller.signal })));
  await untilParked();
  // The server hands the element over before it hears that nobody waits any more.
  const pushing = pool.rpush('list', 'element');
  controller.abort(new Error('gone'));
  await nextTurn();
  block(BLOCKED_MS);
  expect(await pushing).toBe(1);
  const { value, error } = await popping;
  expect(error).toBeUndefined();
  expect(JSON.stringify(value)).toContain('["list","element"]');
});

test('a cancelled pop whose end came while the event loop was blocked keeps its connection', async () => {
  const pool = openPool({ url: server.url });
  const reason = new Error('gone');
  const controller = new AbortController();
  const popping = outcomeOf(pool.scope({ signal: controller.signal }).blpop('list', 0));
  await untilParked();
  controller.abort(reason);
  await nextTurn();
  block(BLOCKED_MS);
  expect((await popping).error).toBe(reason);
  await waitUntil(() => pool.stats().leases.idle === 1, { what: 'the connection is back' });
});

type Popper = Pick<ReturnType<typeof openPool>, 'blpop' | 'pipeline'>;
