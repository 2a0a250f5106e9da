import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ClientProbe } from './leak-clients.js';
import { EventProbe } from './leak-events.js';
import type { LeakProbe } from './leak-probe.js';
import { ResourceProbe } from './leak-resources.js';
import { TimerProbe } from './leak-timers.js';
import type { RedisServer } from './redis-server.js';

const POLL_MS = 10;

/** Options of {@link leakCheck}. */
export interface LeakCheckOptions {
  /** The servers to look at, asked before and after each test. @default none */
  readonly servers?: () => readonly RedisServer[];
  /** Milliseconds that sockets and timers may take to go away after the test. @default 2000 */
  readonly timeoutMs?: number;
}

/** A leak check around one test at a time. */
export interface LeakCheck {
  /** Notes what there is. */
  before(): Promise<void>;
  /** Waits until all of the test is gone; rejects with a list of what is not. */
  after(): Promise<void>;
}

/**
 * Makes a leak check for any test framework. After a test there must be no more client connections on the
 * servers and no more sockets, listeners, pipes, child processes or timers in this process than before, and no
 * unhandled rejection, uncaught exception, process warning or `[ioredis]` line on `console.error` meanwhile.
 *
 * Between `before()` and `after()` its listeners keep Node from exiting on an unhandled rejection; `after()`
 * reports it instead. Timers count from the first `leakCheck()` of the process on: it wraps `setTimeout` and
 * its relatives for good. Not for tests that run at the same time.
 */
export function leakCheck({ servers = () => [], timeoutMs = 2_000 }: LeakCheckOptions = {}): LeakCheck {
  // The connections first: asking for them opens control connections that must not count as leaks.
  const goAway = [new ClientProbe(servers), new ResourceProbe(), new TimerProbe()];
  const probes = [...goAway, new EventProbe()];
  return {
    async before() {
      for (const probe of probes) await probe.start();
    },
    async after() {
      const findings = await settle(goAway, timeoutMs)
        .then(() => allFindings(probes))
        .finally(() => stopAll(probes));
      if (findings.length > 0) throw new Error(`The test leaked:\n${findings.join('\n')}`);
    },
  };
}

function stopAll(probes: readonly LeakProbe[]): void {
  for (const probe of probes) probe.stop();
}

// The first turn lets rejections of the test's last moment be reported as unhandled.
async function settle(probes: readonly LeakProbe[], timeoutMs: number): Promise<void> {
  await nextTurn();
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && (await allFindings(probes)).length > 0) await sleep(POLL_MS);
}

async function allFindings(probes: readonly LeakProbe[]): Promise<string[]> {
  const findings: string[] = [];
  for (const probe of probes) findings.push(...(await probe.findings()).map((finding) => `  - ${finding}`));
  return findings;
}
