import { createRedisPool, type DrainReport, type Logger, type RedisPool } from '@redis-pool/core';
import { Random } from '@redis-pool/testkit';
import { Arena } from './arena/arena.js';
import { HandleCheck } from './checks/handles.js';
import { memoryTrend } from './checks/memory.js';
import { SecretCheck } from './checks/secrets.js';
import { Settling } from './checks/settling.js';
import { Violations } from './checks/violations.js';
import { judgeWrite, WriteLedger } from './checks/write-ledger.js';
import { Conductor } from './conductor.js';
import type { FaultKind } from './faults/fault.js';
import { planFaults } from './faults/fault-plan.js';
import { LIMITS, MAX_CONNECTIONS, Session } from './load/session.js';
import { checkFinalTotal } from './load/transfers.js';
import { COUNT_SCRIPT, IDS_IN_KEY, writeKeys } from './load/writes.js';
import { Loads, prepare } from './loads.js';
import { PoolWatch } from './pool-watch.js';
import type { Progress } from './progress-line.js';
import type { ChaosReport } from './report.js';

export interface ChaosOptions {
  readonly ms: number;
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  /** Lengths of faults and pauses are multiplied with it. */
  readonly pace: number;
  /** Called twice a second. */
  readonly onProgress: (progress: Progress) => void;
}

const PROGRESS_MS = 500;

/** A server, a network, a pool, a load; faults for so long; and then the accounts. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const conductor = new Conductor();
  const violations = new Violations(() => conductor.description);
  const arena = await Arena.start();
  const handles = new HandleCheck(violations);
  try {
    await prepare(arena);
    const report = await conduct(options, conductor, openSession(options.seed, arena, conductor, violations));
    await handles.finish(arena.server);
    return report;
  } finally {
    handles.stop();
    await arena.stop();
  }
}

function openSession(seed: number, arena: Arena, conductor: Conductor, violations: Violations): Session {
  const secrets = new SecretCheck(violations);
  return new Session({
    pool: openPool(seed, arena, secrets),
    arena,
    random: new Random(seed + 1),
    violations,
    settling: new Settling(violations),
    secrets,
    writes: new WriteLedger(),
    step: () => conductor.stepIndex,
    mayLoseWaits: () => conductor.mayLoseWaits,
  });
}

function openPool(seed: number, arena: Arena, secrets: SecretCheck): RedisPool {
  return createRedisPool({
    name: `chaos-${seed}`,
    url: arena.url,
    credentials: arena.credentials,
    lanes: 1 + (seed % 2),
    maxConnections: MAX_CONNECTIONS,
    commandTimeoutMs: LIMITS.command,
    acquireTimeoutMs: LIMITS.acquire,
    connectTimeoutMs: LIMITS.connect,
    closeTimeoutMs: LIMITS.close,
    // A subscriber that nobody publishes to notices by this alone that its connection is dead.
    heartbeatMs: 1_000,
    reconnect: { minDelayMs: 10, maxDelayMs: 500 },
    scripts: { count: COUNT_SCRIPT },
    logger: loggerInto(secrets),
  });
}

function loggerInto(secrets: SecretCheck): Logger {
  const log = (fields: object, message: string) => secrets.logged(fields, message);
  return { debug: log, info: log, warn: log, error: log };
}

async function conduct(options: ChaosOptions, conductor: Conductor, session: Session): Promise<ChaosReport> {
  const { pool, settling, violations } = session.parts;
  const loads = new Loads(session);
  const watch = new PoolWatch(pool, violations);
  const progress = setInterval(() => options.onProgress(progressOf(conductor, session)), PROGRESS_MS);
  const isWhole = await playAll(options, conductor, session, loads);
  clearInterval(progress);
  watch.stop();
  const stats = pool.stats();
  const closing = pool.close();
  settling.watch(closing, 'close()', LIMITS.close);
  const drain = await closing;
  if (isWhole) await settleAccounts(session, drain);
  settling.stop();
  const memory = memoryTrend(conductor.heap);
  if (memory?.grows)
    violations.add('memoryGrowth', `${Math.round(memory.bytesPerMinute / 1024)} KiB a minute`);
  const { calls, errors } = session;
  return {
    ...{ seed: options.seed, elapsedMs: conductor.elapsedMs, results: conductor.results, violations },
    ...{ calls, errors, settling, memory, drain, stats },
    writes: session.parts.writes.tally(),
    messages: { received: loads.messages.received, gaps: loads.messages.gaps },
    logLines: session.parts.secrets.logLines,
    mostConnections: watch.most,
  };
}

/** `false`: the pool did not come back, and there is nothing to settle accounts about. */
async function playAll(
  options: ChaosOptions,
  conductor: Conductor,
  session: Session,
  loads: Loads,
): Promise<boolean> {
  try {
    await session.pool.ready();
    loads.start();
    conductor.begin();
    for (const step of planFaults(options)) {
      if (conductor.elapsedMs > options.ms) break;
      await conductor.run(step, session, loads);
    }
    await loads.stop();
    return true;
  } catch (error) {
    session.running = false;
    session.parts.violations.add('notRecovered', `the run was cut: ${String(error)}`);
    return false;
  }
}

async function settleAccounts(session: Session, drain: DrainReport): Promise<void> {
  await checkWrites(session);
  await checkFinalTotal(session);
  const { settling, violations } = session.parts;
  if (settling.open > 0) violations.add('unsettled', `${settling.open} promises are open at the end`);
  if (!drain.drained) violations.add('unsettled', `close() had to cut: ${JSON.stringify(drain)}`);
}

/** Compares what each caller was told about its write with what the server has. */
async function checkWrites({ parts }: Session): Promise<void> {
  const { writes, arena, violations } = parts;
  for (const { key, firstId } of writeKeys(writes.count)) {
    const reply = (await arena.admin('HGETALL', key)) as string[];
    const ran = new Map<number, number>();
    for (let at = 0; at < reply.length; at += 2) ran.set(Number(reply[at]), Number(reply[at + 1]));
    for (let id = firstId; id < Math.min(firstId + IDS_IN_KEY, writes.count); id += 1) {
      const finding = judgeWrite(writes.endOf(id), ran.get(id) ?? 0);
      if (finding !== undefined) violations.add(finding.invariant, finding.what, `step ${writes.stepOf(id)}`);
    }
  }
}

function progressOf(conductor: Conductor, session: Session): Progress {
  return {
    elapsedMs: conductor.elapsedMs,
    faults: conductor.results.length,
    calls: session.calls,
    errors: session.errors,
    violations: session.parts.violations.total,
    now: conductor.description,
  };
}
