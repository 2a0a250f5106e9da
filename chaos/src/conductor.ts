import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '@redis-pool/testkit';
import { type HeapSample, heapBytes } from './checks/memory.js';
import { describeStep, type PlannedFault, type PlannedStep } from './faults/fault-plan.js';
import type { Session } from './load/session.js';
import type { Loads } from './loads.js';
import { awaitRecovery, isRecovered, type Recovery } from './recovery.js';

const RECOVERY_MS = 15_000;
/** After that nothing will happen any more: the run ends. */
const LAST_HOPE_MS = 40_000;

/** What came of a step. */
export interface StepResult {
  readonly step: PlannedStep;
  readonly recovery: Recovery;
  /** Errors that callers got from the beginning of the fault to the recovery. */
  readonly errors: ReadonlyMap<string, number>;
  readonly logLines: number;
}

/** Carries out the plan, one step after the other. */
export class Conductor {
  readonly results: StepResult[] = [];
  readonly heap: HeapSample[] = [];
  #startedAt = performance.now();
  #step: PlannedStep | undefined;
  #mayLoseWaits = false;

  get stepIndex(): number {
    return this.#step?.index ?? 0;
  }

  get description(): string {
    return this.#step === undefined ? 'before the first step' : describeStep(this.#step);
  }

  /** Whether a fault is on, or its traces are, that closes or silences connections. */
  get mayLoseWaits(): boolean {
    return this.#mayLoseWaits;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** The time of the run begins now. */
  begin(): void {
    this.#startedAt = performance.now();
  }

  async run(step: PlannedStep, session: Session, loads: Loads): Promise<void> {
    const faults = [step.fault, ...(step.overlap === undefined ? [] : [step.overlap])];
    const errorsBefore = new Map(session.errors);
    const logLinesBefore = session.parts.secrets.logLines;
    this.#step = step;
    this.#mayLoseWaits = faults.some(({ kind }) => kind.keepsConnections !== true);
    await loads.endShift(describeStep(step));
    const recovery = await this.#inflict(step, session, loads);
    this.#mayLoseWaits = false;
    this.results.push({
      step,
      recovery,
      errors: difference(session.errors, errorsBefore),
      logLines: session.parts.secrets.logLines - logLinesBefore,
    });
    await sleep(step.calmMs);
    this.heap.push({ atMs: this.elapsedMs, bytes: heapBytes() });
  }

  async #inflict(step: PlannedStep, session: Session, loads: Loads): Promise<Recovery> {
    const { fault, overlap } = step;
    const play = (planned: PlannedFault) => begin(planned, session);
    const first = play(fault);
    const second = overlap === undefined ? undefined : sleep(overlap.afterMs).then(() => play(overlap));
    if (fault.kind.recoversDuring) {
      const end = await first;
      const recovery = await this.#recover(step, session, loads);
      await end();
      return recovery;
    }
    const ends = await Promise.all([first, ...(second === undefined ? [] : [second])]);
    for (const end of ends.reverse()) await end();
    return this.#recover(step, session, loads);
  }

  async #recover(step: PlannedStep, session: Session, loads: Loads): Promise<Recovery> {
    await restartIfCrashed(session);
    const recovery = await awaitRecovery(session, loads.messages, RECOVERY_MS);
    if (isRecovered(recovery)) return recovery;
    session.parts.violations.add('notRecovered', `within ${RECOVERY_MS} ms: ${describeRecovery(recovery)}`);
    await restartIfCrashed(session);
    // So that the next faults can be tried all the same.
    await session.parts.arena.proxy.call('reset');
    if (!isRecovered(await awaitRecovery(session, loads.messages, LAST_HOPE_MS)))
      throw new Error(`The pool did not come back after ${describeStep(step)}`);
    return recovery;
  }
}

/** What is killed on purpose runs again by now. */
async function restartIfCrashed({ parts }: Session): Promise<void> {
  const { server } = parts.arena;
  if (server.status !== 'exited') return;
  parts.violations.add('serverCrashes', 'redis-server ended by itself');
  await server.restart();
}

/** Starts a fault and waits for as long as it lasts. */
async function begin({ kind, ms, seed }: PlannedFault, session: Session): Promise<() => Promise<void>> {
  const endsAt = performance.now() + ms;
  const end = await kind.start({ arena: session.parts.arena, ms, random: new Random(seed) });
  await sleep(Math.max(0, endsAt - performance.now()));
  return end;
}

export function describeRecovery({ lanesMs, leasesMs, subscriberMs }: Recovery): string {
  const part = (name: string, ms: number | undefined) => `${name} ${ms === undefined ? 'never' : `${ms} ms`}`;
  return [part('lanes', lanesMs), part('leases', leasesMs), part('subscriber', subscriberMs)].join(', ');
}

function difference(
  after: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): Map<string, number> {
  const grown = [...after].map(([label, count]) => [label, count - (before.get(label) ?? 0)] as const);
  return new Map(grown.filter(([, count]) => count > 0));
}
