import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RedisServer, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomeOf, usePools } from '../fault/pool-harness.js';
import { untilParked, untilWaiting } from '../lease/lease-harness.js';
import { untilSubscribed } from './scope-harness.js';

let server: RedisServer;

useLeakCheck(() => [server]);
const { openPool } = usePools();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test('50 scopes of one signal have one listener on it between them, and leave none', async () => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', onWarning);
  const pool = openPool({ url: server.url, maxConnections: 100 });
  const { signal } = new AbortController();
  const scopes = Array.from({ length: 50 }, () => pool.scope({ signal }));
  const subscriptions = await Promise.all(scopes.map((scope) => scope.subscribe('news')));
  const parked = scopes.map((scope) => scope.blpop('queue', 0));
  await untilParked(server, 50);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await pool.rpush('queue', ...Array.from({ length: 50 }, () => 'element'));
  await Promise.all([...parked, ...scopes.map((scope) => scope.ping())]);
  for (const scope of scopes) scope.end();
  expect(subscriptions.every(({ ended }) => ended)).toBe(true);
  await untilSubscribed(server, 'news', 0);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});

test('the abort of one signal ends everything of all its scopes', async () => {
  const pool = openPool({ url: server.url, maxConnections: 100 });
  const controller = new AbortController();
  const scopes = Array.from({ length: 20 }, () => pool.scope({ signal: controller.signal }));
  const subscriptions = await Promise.all(scopes.map((scope) => scope.subscribe('news')));
  const parked = scopes.map((scope) => outcomeOf(scope.blpop('queue', 0)));
  await untilParked(server, 20);
  const reason = new Error('the deadline of the job');
  controller.abort(reason);
  for (const { error } of await Promise.all(parked)) expect(error).toBe(reason);
  expect(subscriptions.every(({ ended }) => ended)).toBe(true);
  await untilSubscribed(server, 'news', 0);
  await waitUntil(() => pool.stats().leases.leased === 0, { what: 'no lease is held' });
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

test('a signal that is given to many waits for a lease gathers nothing', async () => {
  const pool = openPool({ url: server.url, maxConnections: 2 });
  const { signal } = new AbortController();
  const scope = pool.scope();
  const lease = await scope.acquire();
  const waiting = Array.from({ length: 20 }, () => scope.acquire({ signal }).then((own) => own.release()));
  await untilWaiting(pool, 20);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await lease.release();
  await Promise.all(waiting);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

/** In a process of its own: the leak check around this test keeps the stacks of timers, and they what is on them. */
async function inProcess(script: string): Promise<Readonly<Record<string, number>>> {
  const entry = new URL('../../dist/index.js', import.meta.url).href;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [
      '--expose-gc',
      '--input-type=module',
      '-e',
      `const entry = ${JSON.stringify(entry)};${script}`,
      server.url,
    ],
    { timeout: 60_000, cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  );
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, number>;
}

test('20,000 scopes with commands, leases and subscriptions leave nothing in memory, nor at a signal that outlives them', async () => {
  const result = await inProcess(`
    import { getEventListeners } from 'node:events';
    const { createRedisPool } = await import(entry);
    const pool = createRedisPool({ url: process.argv[1] });
    const { signal } = new AbortController();
    const use = async () => {
      const scope = pool.scope({ signal, timeoutMs: 60_000, label: () => 'GET /things', timed: true });
      const subscription = scope.subscribe('news');
      await Promise.all([scope.get('key'), scope.multi().get('key').exec(), scope.rpush('queue', 'element')]);
      await scope.blpop('queue', 0);
      await scope.lease((lease) => lease.ping());
      await subscription;
      scope.end({ hungUp: true });
    };
    const round = async (count) => {
      for (let done = 0; done < count; done += 50) await Promise.all(Array.from({ length: 50 }, use));
      await new Promise((resolve) => setTimeout(resolve, 50));
      gc();
      return process.memoryUsage().heapUsed;
    };
    await round(5_000);
    const before = await round(5_000);
    const after = await round(10_000);
    const { hangUps, leases, pending } = pool.stats();
    const listeners = getEventListeners(signal, 'abort').length;
    await pool.close();
    console.log(JSON.stringify({ grown: after - before, hangUps, leased: leases.leased, pending: pending.commands, listeners }));`);
  expect(result).toMatchObject({ hangUps: 20_000, leased: 0, pending: 0, listeners: 0 });
  // A leak of one object of 100 bytes a scope would be a megabyte.
  expect(result.grown).toBeLessThan(700_000);
}, 60_000);
