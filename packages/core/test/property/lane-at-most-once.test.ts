import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { describe, expect, test } from 'vitest';
import { LINKS, useLink } from '../fault/pool-harness.js';
import { progressLine, runAtMostOnce } from './lane-at-most-once-run.js';

/** LANE_ROUNDS=10000 is the long run: `pnpm --filter @redis-pool/core long:once`. */
const rounds = Number(process.env.LANE_ROUNDS ?? 300);
const seed = Number(process.env.LANE_SEED ?? Date.now() % 1_000_000);
const onProgress = process.env.LANE_PROGRESS === undefined ? undefined : (line: string) => console.log(line);

useLeakCheck();

describe.each(LINKS)('over the %s link', (link) => {
  useLink(link);

  test(`a write runs at most once, and its caller is told the truth about it (seed ${seed})`, async () => {
    // Half of the rounds for each link.
    const { tally, wrong, stats, elapsedMs } = await runAtMostOnce({ rounds: rounds / 2, seed, onProgress });
    onProgress?.(`${link}: ${progressLine(tally, elapsedMs / 1_000)}`);
    expect(wrong).toEqual([]);
    // Each kind of end has been seen, or the faults were none.
    expect(tally.acknowledged).toBeGreaterThan(rounds);
    expect(tally.maybeExecuted).toBeGreaterThan(rounds / 10);
    expect(tally.notExecuted).toBeGreaterThan(0);
    expect(tally.aborted).toBeGreaterThan(0);
    expect(stats.lostConnections).toBeGreaterThan(rounds / 5);
    expect(stats.pending).toEqual({ commands: 0, bytes: 0 });
  }, 3_600_000);
});
