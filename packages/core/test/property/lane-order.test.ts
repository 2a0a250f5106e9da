import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { describe, expect, test } from 'vitest';
import { LINKS, useLink } from '../fault/pool-harness.js';
import { progressLine, runLaneOrder } from './lane-order-run.js';

/** LANE_COMMANDS=1000000 LANE_ABORTS=10000 is the long run: `pnpm --filter @redis-pool/core long:order`. */
const commands = Number(process.env.LANE_COMMANDS ?? 20_000);
const detached = Number(process.env.LANE_ABORTS ?? commands / 100);
const seed = Number(process.env.LANE_SEED ?? Date.now() % 1_000_000);
const onProgress = process.env.LANE_PROGRESS === undefined ? undefined : (line: string) => console.log(line);

useLeakCheck();

describe.each(LINKS)('over the %s link', (link) => {
  useLink(link);

  test(`every reply reaches the caller of its command, and each caller's commands the server in order (seed ${seed})`, async () => {
    // Half of the work for each link.
    const { journal, elapsedMs, stats } = await runLaneOrder({
      commands: commands / 2,
      detached: detached / 2,
      seed,
      onProgress,
    });
    onProgress?.(`${link}: ${progressLine(journal, elapsedMs / 1_000)}`);
    expect(journal.wrong).toEqual([]);
    expect(journal.settled).toBe(journal.calls);
    expect(journal.commands).toBeGreaterThanOrEqual(commands / 2);
    expect(journal.timeouts).toBeGreaterThan(0);
    expect(journal.aborts).toBeGreaterThan(0);
    for (const { lanes, lostConnections, pending } of stats) {
      expect(lanes[0]).toMatchObject({ link, connections: 1, inFlight: 0 });
      expect(lostConnections).toBe(0);
      expect(pending).toEqual({ commands: 0, bytes: 0 });
    }
  }, 3_600_000);
});
