import { type RedisServer, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { expect, test } from 'vitest';
import { keyOn, keysInSlots, useCluster, useClusterPools } from './cluster-harness.js';
import { ClusterLoad, judge, type SeenError } from './cluster-load-run.js';

/** CLUSTER_SLOTS=1000 is the long run: `pnpm --filter @redis-pool/core long:cluster`. */
const slots = Number(process.env.CLUSTER_SLOTS ?? 150);
const rounds = Number(process.env.CLUSTER_ROUNDS ?? 5);
const callers = Number(process.env.CLUSTER_CALLERS ?? 16);
const seed = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000);
const report = process.env.CLUSTER_PROGRESS === undefined ? () => {} : (line: string) => console.log(line);

const NODES = { masters: 3, replicasPerMaster: 1 };
// On a busy machine a node may be silent for a second: nobody is to take over while slots change hands.
const calm = useCluster({ ...NODES, nodeTimeoutMs: 30_000 });
const cluster = useCluster({ ...NODES, nodeTimeoutMs: 1_000 });
useLeakCheck(() =>
  [...calm.current.nodes, ...cluster.current.nodes].filter(({ status }) => status === 'running'),
);
const open = useClusterPools();

function byCode(errors: readonly SeenError[]): string {
  const counts = new Map<string, number>();
  for (const { code, retryable } of errors) {
    const name = `${code}${retryable ? '' : ' (not retryable)'}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return JSON.stringify(Object.fromEntries(counts));
}

test(
  `slots change hands under load: no error, no wrong reply, nothing twice, nobody overtaken (seed ${seed})`,
  async () => {
    const pool = open(calm.current, { commandTimeoutMs: 10_000 });
    const load = new ClusterLoad(pool, { name: 'moved', callers, seed });
    await load.start();
    const [first, second] = (await calm.current.masters()) as [RedisServer, RedisServer];
    const startedAt = performance.now();
    await calm.current.moveSlots(first, second, { from: 0, to: slots - 1 });
    const elapsedMs = performance.now() - startedAt;
    await load.stop();
    const { journal } = load;
    const verdict = await judge(pool, journal);
    const { redirections } = pool.stats();
    report(
      `reshard: ${slots} slots in ${Math.round(elapsedMs)} ms, ${journal.commands} commands, ` +
        `${redirections} redirections, errors ${byCode(journal.errors)}, ${JSON.stringify(verdict)}`,
    );
    expect(journal.errors).toEqual([]);
    expect(journal.wrong).toEqual([]);
    expect(verdict).toMatchObject({ disorder: [], ghosts: [], lost: 0, maybe: 0 });
    expect(redirections).toBeGreaterThan(0);
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  },
  Number(process.env.CLUSTER_LIMIT_MS ?? 60_000),
);

test(
  `nobody is overtaken by himself in slots that go to and fro (seed ${seed})`,
  async () => {
    const pool = open(calm.current, { commandTimeoutMs: 10_000 });
    const tags = keysInSlots(2_000, 2_003);
    const load = new ClusterLoad(pool, { name: 'fro', callers, seed, tags, burst: 100 });
    await load.start();
    const [first, second] = (await calm.current.masters()) as [RedisServer, RedisServer];
    for (let round = 0; round < rounds; round += 1) {
      await calm.current.moveSlots(first, second, { from: 2_000, to: 2_003 });
      await calm.current.moveSlots(second, first, { from: 2_000, to: 2_003 });
    }
    await load.stop();
    const { journal } = load;
    const verdict = await judge(pool, journal);
    const { redirections } = pool.stats();
    report(
      `to and fro: ${8 * rounds} moves, ${journal.commands} commands, ${redirections} redirections, ` +
        `errors ${byCode(journal.errors)}, ${JSON.stringify(verdict)}`,
    );
    expect(journal.errors).toEqual([]);
    expect(journal.wrong).toEqual([]);
    expect(verdict).toMatchObject({ disorder: [], ghosts: [], lost: 0, maybe: 0 });
    expect(redirections).toBeGreaterThan(100);
  },
  Number(process.env.CLUSTER_LIMIT_MS ?? 60_000),
);

test(
  `a master dies under load: its replica takes over, nothing runs twice (seed ${seed})`,
  async () => {
    const pool = open(cluster.current, { commandTimeoutMs: 10_000 });
    const load = new ClusterLoad(pool, { name: 'killed', callers, seed });
    await load.start();
    const [victim] = (await cluster.current.masters()).slice(-1) as [RedisServer];
    const key = await keyOn(cluster.current, victim);
    const killedAt = performance.now();
    await victim.kill();
    await pool.set(key, 'after');
    const recoveredAt = performance.now();
    expect(await pool.get(key)).toBe('after');
    await waitUntil(() => pool.status === 'ready', { what: 'the pool is ready again' });
    await load.stop();
    const { journal } = load;
    const verdict = await judge(pool, journal);
    const outside = journal.errors.filter(({ at }) => at < killedAt || at > recoveredAt + 100);
    report(
      `kill: recovered in ${Math.round(recoveredAt - killedAt)} ms (node timeout 1000), ${journal.commands} commands, ` +
        `errors ${byCode(journal.errors)}, outside the window ${byCode(outside)}, ${JSON.stringify(verdict)}`,
    );
    expect(journal.wrong).toEqual([]);
    expect(verdict).toMatchObject({ disorder: [], ghosts: [] });
    expect(outside.filter(({ retryable }) => !retryable)).toEqual([]);
    expect(pool.stats().pending).toEqual({ commands: 0, bytes: 0 });
  },
  Number(process.env.CLUSTER_LIMIT_MS ?? 60_000),
);
