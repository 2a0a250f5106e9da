import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { outcomeOf } from '../lease/lease-harness.js';
import { keyOn, useCluster, useClusterPools } from './cluster-harness.js';
import { ClusterLoad, judge } from './cluster-load-run.js';

const seed = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000);
const report = process.env.CLUSTER_PROGRESS === undefined ? () => {} : (line: string) => console.log(line);

/** From the moment in which a replica has taken over. Without suspicion it takes until `commandTimeoutMs`. */
const RECOVERY_LIMIT_MS = 4_000;

const cluster = useCluster({ masters: 3, replicasPerMaster: 1, nodeTimeoutMs: 1_000 });
useLeakCheck(() => cluster.current.nodes.filter(({ status }) => status === 'running'));
const open = useClusterPools();

/** A master falls silent; resolves with the time at which its replica has its place. */
async function fallSilent(victim: RedisServer, replica: RedisServer): Promise<number> {
  victim.freeze();
  const isPromoted = async () => (await cluster.current.masters()).includes(replica);
  await waitUntil(isPromoted, { timeoutMs: 20_000, what: 'the replica is the master' });
  return performance.now();
}

async function comeBack(victim: RedisServer): Promise<void> {
  victim.thaw();
  const isReplica = async () => (await cluster.current.masters()).every((master) => master !== victim);
  await waitUntil(isReplica, { what: 'the old master has heard of it' });
  await cluster.current.untilWell();
}

/** Calls again until it succeeds. */
async function untilDone(call: () => Promise<unknown>): Promise<number> {
  for (;;) if ((await outcomeOf(call())).error === undefined) return performance.now();
}

test(`a master falls silent under load: its replica takes over, nothing runs twice (seed ${seed})`, async () => {
  // Neither is what ends the outage.
  const pool = open(cluster.current, {
    commandTimeoutMs: 15_000,
    cluster: { slotsRefreshInterval: 60_000 },
  });
  const load = new ClusterLoad(pool, { name: 'silent', callers: 16, seed });
  await load.start();
  const [victim] = (await cluster.current.masters()).slice(-1) as [RedisServer];
  const key = await keyOn(cluster.current, victim);
  const popped = outcomeOf(pool.blpop(`{${key}}:list`, 60));
  await waitUntil(() => pool.stats().leases.blocking === 1, { what: 'it waits' });
  const [replica] = (await cluster.current.replicasOf(victim)) as [RedisServer];
  const frozenAt = performance.now();
  const [promotedAt, recoveredAt] = await Promise.all([
    fallSilent(victim, replica),
    untilDone(() => pool.set(key, 'after')),
  ]);
  const waited = await popped;
  await load.stop();
  await comeBack(victim);
  const { journal } = load;
  const verdict = await judge(pool, journal);
  const [promotedMs, recoveredMs] = [promotedAt, recoveredAt].map((at) => Math.round(at - frozenAt));
  report(
    `silence: promoted after ${promotedMs} ms, recovered after ${recoveredMs} ms, ${journal.commands} commands, ` +
      `${journal.errors.length} errors, ${JSON.stringify(verdict)}`,
  );
  expect(recoveredAt - promotedAt).toBeLessThan(RECOVERY_LIMIT_MS);
  expect(journal.wrong).toEqual([]);
  expect(verdict).toMatchObject({ disorder: [], ghosts: [], lost: 0 });
  // Only what the silent master was sent; reads have gone to its successor.
  const seen = new Set(journal.errors.map(({ of, code }) => `${of} ${code}`));
  expect([...seen]).toEqual(['push RP_ERR_CONNECTION_LOST']);
  expect(verdict.maybe).toBeGreaterThan(0);
  // The wait was there, too: it ends with the node, not with its own time.
  expect(waited.error).toMatchObject({ code: 'RP_ERR_CONNECTION_LOST', maybeExecuted: true });
  expect(waited.settledAt - promotedAt).toBeLessThan(RECOVERY_LIMIT_MS);
  expect(pool.stats()).toMatchObject({ pending: { commands: 0, bytes: 0 }, stalls: 0 });
}, 60_000);

test('a subscription on a master that falls silent goes on elsewhere', async () => {
  const pool = open(cluster.current, {
    commandTimeoutMs: 15_000,
    cluster: { slotsRefreshInterval: 60_000 },
  });
  const [victim] = (await cluster.current.masters()) as [RedisServer];
  const key = await keyOn(cluster.current, victim);
  const got: string[] = [];
  let gaps = 0;
  const onGap = (): void => {
    gaps += 1;
  };
  const subscription = await pool.ssubscribe(key, (message) => void got.push(message), { onGap });
  const [replica] = (await cluster.current.replicasOf(victim)) as [RedisServer];
  // What is owed is what makes the silence felt.
  const [promotedAt, recoveredAt] = await Promise.all([
    fallSilent(victim, replica),
    untilDone(() => pool.get(key)),
  ]);
  expect(recoveredAt - promotedAt).toBeLessThan(RECOVERY_LIMIT_MS);
  await waitUntil(() => gaps === 1, { what: 'the gap is told' });
  await pool.spublish(key, 'after');
  await waitUntil(() => got.length > 0, { what: 'messages come again' });
  expect(got).toEqual(['after']);
  await subscription.unsubscribe();
  await comeBack(victim);
}, 60_000);
