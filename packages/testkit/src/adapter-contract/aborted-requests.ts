import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { TimerProbe } from '../leak-timers.js';
import { waitUntil } from '../wait-until.js';
import { AbortedRun } from './aborted-run.js';
import type { TestApp, Testbed } from './testbed.js';

/** Requests in all; a long run sets more, and gets lines of progress. */
const REQUESTS = Number(process.env.ABORTED_REQUESTS ?? 300);
const SEED = Number(process.env.ABORTED_SEED ?? 7);
const IS_LONG = process.env.ABORTED_REQUESTS !== undefined;
const STEP = 1_000;

/** Clients that leave at random moments of all kinds of work. */
export function abortedRequests(bed: Testbed): void {
  test.each(['finish', 'abort'])(
    `${REQUESTS} requests aborted at random lose no element and leave nothing behind: %s`,
    { timeout: 20_000 + REQUESTS * 60 },
    async (onHangUp) => {
      const run = new AbortedRun(SEED);
      const limits = { maxConnections: 12, acquireTimeoutMs: 15_000, forgottenLeaseMs: 40 };
      const app = await bed.start(run.routes, { onHangUp, ...limits });
      const heapAfter: number[] = [];
      while (run.requests < REQUESTS) {
        await run.make(app, Math.min(STEP, REQUESTS - run.requests));
        bed.log.splice(0);
        if (IS_LONG) heapAfter.push(report(onHangUp, run));
      }
      await expectAtRest(app);
      await expectAccounted(run);
      if (IS_LONG)
        console.log(`${onHangUp}: heap grew by ${growth(heapAfter)} after the first ${STEP} requests`);
    },
  );

  async function expectAtRest({ pool }: TestApp): Promise<void> {
    await waitUntil(() => pool.stats().leases.leased === 0, { what: 'no lease is held' });
    const { leases, pending, waitingForConnection, hangUps } = pool.stats();
    expect(leases).toMatchObject({ leased: 0, creating: 0, waiting: 0, blocking: 0 });
    expect({ pending, waitingForConnection }).toEqual({
      pending: { commands: 0, bytes: 0 },
      waitingForConnection: 0,
    });
    expect(hangUps).toBeGreaterThan(REQUESTS / 10);
    await bed.untilParked(0);
  }

  async function expectAccounted({ taken, delivered, errors, pushed, left }: AbortedRun): Promise<void> {
    const inList = (await bed.server.adminCommand('LRANGE', 'queue', 0, -1)) as string[];
    const elements = Array.from({ length: pushed }, (_, index) => `element-${index}`);
    expect([...taken, ...inList].sort()).toEqual(elements.sort());
    const given = new Set(taken);
    expect(delivered.filter((element) => !given.has(element))).toEqual([]);
    expect(new Set(delivered).size).toBe(delivered.length);
    // It did what it is for: clients left, elements were taken, and nothing failed for another reason.
    expect(left).toBeGreaterThan(REQUESTS / 2);
    expect(delivered.length).toBeGreaterThan(REQUESTS / 20);
    expect(taken.length).toBeGreaterThan(delivered.length);
    expect([...errors.keys()].filter((code) => code !== 'ABORT_ERR')).toEqual([]);
  }
}

function report(mode: string, { requests, left, taken, delivered, errors }: AbortedRun): number {
  const heap = heapAfterGc();
  const counts = `${requests} requests, ${left} left, ${taken.length} elements taken, ${delivered.length} delivered`;
  console.log(`${mode}: ${counts}, ${errors.get('ABORT_ERR') ?? 0} AbortErrors, heap ${megabytes(heap)}`);
  return heap;
}

function growth(heaps: readonly number[]): string {
  return megabytes((heaps.at(-1) ?? 0) - (heaps[0] ?? 0));
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MB`;
}

function heapAfterGc(): number {
  // The leak check remembers timers that are over until it looks again.
  new TimerProbe().findings();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
