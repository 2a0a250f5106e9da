import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { slotOfKey } from '../../src/cluster/key-slot.js';
import { codeOf, errorOf, GRACE_MS, outcomeOf } from '../lease/lease-harness.js';
import { keyOn, openSlot, useCluster, useClusterPools } from './cluster-harness.js';

const cluster = useCluster({ masters: 2, replicasPerMaster: 0, nodeTimeoutMs: 30_000 });
useLeakCheck(() => cluster.current.nodes);
const open = useClusterPools();

/** A slot on its way: a wait for a key that is not there is put off again and again. */
async function openWaitingSlot() {
  const [source, target] = cluster.current.nodes as [RedisServer, RedisServer];
  const key = await keyOn(cluster.current, source);
  const slot = await openSlot(cluster.current, slotOfKey(key), target);
  await source.adminCommand('CONFIG', 'RESETSTAT');
  const putOff = () =>
    waitUntil(async () => String(await source.adminCommand('INFO', 'errorstats')).includes('errorstat_ASK'), {
      what: 'the wait is put off',
    });
  const end = async () => {
    for (const node of [source, target])
      await node.adminCommand('CLUSTER', 'SETSLOT', slotOfKey(key), 'STABLE');
  };
  return { key, putOff, end, finish: slot.finish };
}

test('close() does not come before the end of a wait that is between two nodes', async () => {
  const { key, putOff, end } = await openWaitingSlot();
  const pool = open(cluster.current, { cluster: { retryDelayOnTryAgain: 3_000 } });
  let isSettled = false;
  const wait = errorOf(pool.blpop(key, 30)).finally(() => {
    isSettled = true;
  });
  await putOff();
  await pool.close({ timeoutMs: 500 });
  expect(isSettled).toBe(true);
  expect(codeOf(await wait)).toMatch(/RP_ERR_CLOS(ED|ING)/);
  await end();
});

test('an abort ends a wait that is between two nodes at once', async () => {
  const { key, putOff, end } = await openWaitingSlot();
  const pool = open(cluster.current, { cluster: { retryDelayOnTryAgain: 3_000 } });
  const controller = new AbortController();
  const wait = outcomeOf(pool.scope({ signal: controller.signal }).blpop(key, 30));
  await putOff();
  // The answer has been read.
  await waitUntil(() => pool.stats().leases.leased === 0, { what: 'the lease is back' });
  const abortedAt = performance.now();
  controller.abort(new Error('gone'));
  const { error, settledAt } = await wait;
  expect(error).toMatchObject({ message: 'gone' });
  expect(settledAt - abortedAt).toBeLessThan(5 * GRACE_MS);
  await end();
});

test('an abort ends a transaction that is between two nodes at once', async () => {
  const { key, putOff, end } = await openWaitingSlot();
  const pool = open(cluster.current, { cluster: { retryDelayOnTryAgain: 3_000 } });
  const controller = new AbortController();
  const scope = pool.scope({ signal: controller.signal });
  const transaction = outcomeOf(scope.transaction([key], (_, queue) => void queue.set(key, 1)));
  await putOff();
  await waitUntil(() => pool.stats().leases.leased === 0, { what: 'the lease is back' });
  const abortedAt = performance.now();
  controller.abort(new Error('gone'));
  const { error, settledAt } = await transaction;
  expect(error).toMatchObject({ message: 'gone' });
  expect(settledAt - abortedAt).toBeLessThan(5 * GRACE_MS);
  await end();
});

test('a chain that failed for want of one lease does not run its other part later', async () => {
  const [full, other] = cluster.current.nodes as [RedisServer, RedisServer];
  const [key, written] = [await keyOn(cluster.current, full), await keyOn(cluster.current, other)];
  const pool = open(cluster.current, { maxConnections: 2, maxWaiting: 1 });
  await pool.ready();
  await pool.del(written);
  const held = await pool.acquire({ key });
  const waiting = pool.acquire({ key });
  const error = await errorOf(pool.pipeline().blpop(key, 1).incr(written).exec());
  expect(error).toMatchObject({ code: 'RP_ERR_QUEUE_FULL', maybeExecuted: false });
  // There is one lease for each node: this comes behind the other part.
  expect(await pool.lease((lease) => lease.get(written), { key: written })).toBe(null);
  held.release();
  (await waiting).release();
});
