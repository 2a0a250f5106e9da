import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterEach, describe, expect, test } from 'vitest';
import { codeOf, errorOf, GRACE_MS, outcomeOf } from '../lease/lease-harness.js';
import { keyOn, seedsOf, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 3, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

afterEach(() => {
  for (const node of cluster.current.nodes) node.thaw();
});

describe('without any node', () => {
  const nowhere = [
    { host: '127.0.0.1', port: 1 },
    { host: '127.0.0.1', port: 2 },
  ];

  test('commands, leases and ready() end by their deadlines', async () => {
    const limits = { commandTimeoutMs: 400, acquireTimeoutMs: 300, connectTimeoutMs: 500 };
    const pool = open(cluster.current, { nodes: nowhere, ...limits });
    const startedAt = performance.now();
    const outcomes = await Promise.all([
      outcomeOf(pool.get('a')),
      outcomeOf(pool.multi().get('a').exec()),
      outcomeOf(pool.pipeline().get('a').get('b').exec()),
      outcomeOf(pool.lease(() => {}, { key: 'a' })),
      outcomeOf(pool.blpop('a', 1)),
      outcomeOf(pool.ready()),
    ]);
    expect(outcomes.map(({ error }) => codeOf(error))).toEqual([
      ...['RP_ERR_UNAVAILABLE', 'RP_ERR_UNAVAILABLE', 'RP_ERR_UNAVAILABLE'],
      ...['RP_ERR_ACQUIRE_TIMEOUT', 'RP_ERR_ACQUIRE_TIMEOUT', 'RP_ERR_CONNECT'],
    ]);
    for (const { error, settledAt } of outcomes) {
      expect(error).toMatchObject({ maybeExecuted: false, retryable: true });
      expect(settledAt - startedAt).toBeLessThan(500 + 5 * GRACE_MS);
    }
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  });

  test('close() and destroy() end what waits', async () => {
    const pool = open(cluster.current, { nodes: nowhere });
    const waiting = errorOf(pool.set('a', 1));
    pool.destroy();
    expect(await waiting).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: false });
    const other = open(cluster.current, { nodes: nowhere });
    const drained = errorOf(other.set('a', 1));
    const report = await other.close({ timeoutMs: 200 });
    expect(report).toMatchObject({ drained: false, cutCommands: 1 });
    expect(codeOf(await drained)).toBe('RP_ERR_CLOSED');
  });
});

test('a frozen node keeps only its own commands waiting, and close() ends in its time', async () => {
  const [frozen, other] = cluster.current.nodes as [RedisServer, RedisServer];
  const pool = open(cluster.current, { commandTimeoutMs: 800 });
  await pool.ready();
  const [stuck, works] = [await keyOn(cluster.current, frozen), await keyOn(cluster.current, other)];
  await pool.mset(works, 'w');
  frozen.freeze();
  const late = errorOf(pool.get(stuck));
  expect(await pool.get(works)).toBe('w');
  expect(await late).toMatchObject({ code: 'RP_ERR_COMMAND_TIMEOUT', maybeExecuted: true });
  const startedAt = performance.now();
  const cut = errorOf(pool.incr(stuck));
  await pool.close({ timeoutMs: 300 });
  expect(performance.now() - startedAt).toBeLessThan(300 + 4 * GRACE_MS);
  expect(await cut).toMatchObject({ code: 'RP_ERR_CLOSED', maybeExecuted: true });
});

test.each(['timed out', 'aborted'])('close() does not wait for replies to what was %s', async (how) => {
  const [frozen] = cluster.current.nodes as [RedisServer];
  const pool = open(cluster.current, { commandTimeoutMs: how === 'timed out' ? 300 : 20_000 });
  await pool.ready();
  const stuck = await keyOn(cluster.current, frozen);
  frozen.freeze();
  const controller = new AbortController();
  const scope = pool.scope({ signal: controller.signal });
  const calls = [scope.get(stuck), scope.multi().incr(stuck).exec(), scope.pipeline().incr(stuck).exec()];
  const ended = calls.map(errorOf);
  if (how === 'aborted') controller.abort();
  await Promise.all(ended);
  expect(pool.stats().pending.commands).toBeGreaterThan(0);
  const report = await pool.close({ timeoutMs: 10_000 });
  expect(report).toMatchObject({ drained: true, cutCommands: 0 });
  expect(report.durationMs).toBeLessThan(2_000);
});

test('a pipeline over two nodes of which one is lost says that the other may have run', async () => {
  const [frozen, other] = cluster.current.nodes as [RedisServer, RedisServer];
  const pool = open(cluster.current, { commandTimeoutMs: 500 });
  await pool.ready();
  const [stuck, works] = [await keyOn(cluster.current, frozen), await keyOn(cluster.current, other)];
  await pool.del(works);
  await frozen.kill();
  await waitUntil(() => pool.status === 'degraded', { what: 'the loss is noticed' });
  const error = await errorOf(pool.pipeline().incr(works).incr(stuck).exec());
  expect(error).toMatchObject({ code: 'RP_ERR_UNAVAILABLE', maybeExecuted: true, retryable: false });
  expect(await pool.get(works)).toBe('1');
  await frozen.restart();
  await waitUntil(async () => (await outcomeOf(pool.set(stuck, 1))).value === 'OK', { what: 'it is back' });
  expect(pool.status).toBe('ready');
});

test('ready() rejects at once for a refused password', async () => {
  const pool = open(cluster.current, {
    nodes: seedsOf(cluster.current).slice(0, 1),
    cluster: { redisOptions: { username: 'nobody', password: 'wrong-password' } },
  });
  const error = await errorOf(pool.ready());
  expect(error).toMatchObject({ code: 'RP_ERR_AUTH' });
  expect(`${error.stack}`).not.toContain('wrong-password');
});

test('scaleReads as a function is refused: there are no ioredis instances to give it', () => {
  expect(() => open(cluster.current, { cluster: { scaleReads: () => [] } })).toThrow(
    expect.objectContaining({ code: 'RP_ERR_INVALID_OPTION' }),
  );
});
