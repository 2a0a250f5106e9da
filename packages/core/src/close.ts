import type { Cut } from './cut-list.js';
import type { PoolEngine } from './pool-engine.js';

/** How closing went. */
export interface DrainReport {
  readonly durationMs: number;
  /** Whether everything that ran could finish. */
  readonly drained: boolean;
  /**
   * Commands that were cut: their callers got an error, without an answer of the server. Blocking commands whose wait
   * the server ended, and callers that waited for a connection, are not among them.
   */
  readonly cutCommands: number;
  /** Leases that were still held when the time was over; their connections were closed. */
  readonly cutLeases: number;
  /** What was cut, by name. */
  readonly cut: Cut;
}

export const NOTHING_CUT: DrainReport = {
  durationMs: 0,
  drained: true,
  cutCommands: 0,
  cutLeases: 0,
  cut: { commands: {}, leases: [] },
};

/** Of the budget, what is kept for QUIT and for closing the sockets. */
const END_SHARE = 0.2;
const MAX_END_MS = 500;

/** Ends an engine within `timeoutMs`, in the right order; never rejects. */
export async function drainAndClose(engine: PoolEngine, timeoutMs: number): Promise<DrainReport> {
  const startedAt = performance.now();
  const { hooks, name } = engine.options;
  const endMs = Math.min(MAX_END_MS, timeoutMs * END_SHARE);
  const drained = engine.drain(timeoutMs - endMs);
  await Promise.all([drained, within(timeoutMs - endMs, () => hooks.drain?.({ pool: name }), engine)]);
  // Half for QUIT and half for the hook: either may take all that it is given.
  await engine.shut(engine.awaitedCommands === 0 ? endMs / 2 : 0);
  await within(endMs / 2, () => hooks.close?.({ pool: name }), engine);
  return report(engine, startedAt);
}

/** Ends an engine at once; never rejects. */
export async function cutAndClose(engine: PoolEngine, error: Error | undefined): Promise<DrainReport> {
  const startedAt = performance.now();
  await engine.shut(0, error);
  return report(engine, startedAt);
}

function report(engine: PoolEngine, startedAt: number): DrainReport {
  const { name, logger } = engine.options;
  const { commands: cutCommands, leases: cutLeases } = engine.cuts;
  const durationMs = Math.round(performance.now() - startedAt);
  const drained = cutCommands + cutLeases === 0;
  const result = { durationMs, drained, cutCommands, cutLeases, cut: engine.cuts.list() };
  if (drained) logger.info({ pool: name, ...result }, `Redis pool "${name}" is closed`);
  else logger.warn({ pool: name, ...result }, `Redis pool "${name}" is closed; ${describeCut(result)}`);
  return result;
}

/** `cut 3 commands (2 GET, 1 BLPOP) and 1 lease`. */
function describeCut({ cutCommands, cutLeases, cut }: DrainReport): string {
  const names = Object.entries(cut.commands).map(([command, count]) => `${count} ${command}`);
  const list = cutCommands === 0 ? '' : ` (${names.join(', ')})`;
  return `cut ${cutCommands} commands${list} and ${cutLeases} leases`;
}

/** Of several pools that were closed together. */
export function sumOfReports(reports: readonly DrainReport[]): DrainReport {
  return reports.reduce(
    (sum, report) => ({
      durationMs: Math.max(sum.durationMs, report.durationMs),
      drained: sum.drained && report.drained,
      cutCommands: sum.cutCommands + report.cutCommands,
      cutLeases: sum.cutLeases + report.cutLeases,
      cut: {
        commands: addUp(sum.cut.commands, report.cut.commands),
        leases: [...sum.cut.leases, ...report.cut.leases],
      },
    }),
    NOTHING_CUT,
  );
}

function addUp(one: Cut['commands'], other: Cut['commands']): Cut['commands'] {
  const sum = new Map(Object.entries(one));
  for (const [name, count] of Object.entries(other)) sum.set(name, (sum.get(name) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** A hook of the application must not keep the pool from closing: neither by hanging nor by throwing. */
async function within(limitMs: number, hook: () => unknown, engine: PoolEngine): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([limit, hook()]);
  } catch (error) {
    const { logger, name } = engine.options;
    logger.error({ pool: name, err: error }, `A hook of Redis pool "${name}" failed while closing`);
  } finally {
    clearTimeout(timer);
  }
}
