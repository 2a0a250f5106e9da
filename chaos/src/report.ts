import type { DrainReport, PoolStats } from '@redis-pool/core';
import type { End } from './checks/end-of-call.js';
import type { MemoryTrend } from './checks/memory.js';
import { INVARIANTS, type Invariant, type Violations } from './checks/violations.js';
import { describeRecovery, type StepResult } from './conductor.js';
import { slowest } from './recovery.js';

/** What a run came to. */
export interface ChaosReport {
  readonly seed: number;
  readonly elapsedMs: number;
  readonly results: readonly StepResult[];
  readonly violations: Violations;
  readonly calls: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly writes: Readonly<Record<End, number>>;
  readonly settling: {
    readonly settled: number;
    readonly worstMs: number;
    readonly worstWhat: string;
    readonly longestStallMs: number;
  };
  readonly messages: { readonly received: number; readonly gaps: number };
  readonly logLines: number;
  readonly memory: MemoryTrend | undefined;
  readonly mostConnections: number;
  readonly drain: DrainReport;
  readonly stats: PoolStats;
}

/** The table that a run ends with. */
export function textReport(report: ChaosReport): string {
  return [
    ...faultTable(report.results),
    '',
    ...totals(report),
    '',
    ...invariantTable(report.violations),
    '',
    ...verdict(report),
  ].join('\n');
}

function faultTable(results: readonly StepResult[]): string[] {
  const names = [...new Set(results.map(({ step }) => step.fault.kind.name))].sort();
  const overlaps = (name: string) => results.filter(({ step }) => step.overlap?.kind.name === name).length;
  const rows = names.map((name) => {
    const own = results.filter(({ step }) => step.fault.kind.name === name);
    const times = own.map(({ recovery }) => slowest(recovery));
    const known = times.filter((ms) => ms !== undefined).sort((one, other) => one - other);
    const lost = times.length - known.length;
    return [
      name,
      String(own.length),
      String(overlaps(name)),
      `${known[Math.floor(known.length / 2)] ?? '-'}`,
      `${known.at(-1) ?? '-'}${lost > 0 ? ` (${lost} never)` : ''}`,
      String(Math.max(...own.map(({ logLines }) => logLines))),
      topErrors(own),
    ];
  });
  const head = ['fault', 'times', 'overlapping', 'recovery ms', 'worst', 'log lines', 'errors in all'];
  return table([head, ...rows]);
}

function topErrors(results: readonly StepResult[]): string {
  const sums = new Map<string, number>();
  for (const { errors } of results)
    for (const [label, count] of errors) sums.set(label, (sums.get(label) ?? 0) + count);
  return describeErrors(sums);
}

/** Most frequent first. An abort is no error: somebody asked for it. */
export function describeErrors(errors: ReadonlyMap<string, number>, most = 4): string {
  const sorted = [...errors].filter(([label]) => label !== 'aborted').sort(([, a], [, b]) => b - a);
  const named = sorted.slice(0, most).map(([label, count]) => `${label.replace('RP_ERR_', '')} ${count}`);
  return named.join(', ');
}

function totals(report: ChaosReport): string[] {
  const { writes, settling, messages, stats, memory, drain } = report;
  const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  const heap =
    memory === undefined
      ? 'too short a run to say'
      : `${memory.thirds.map(mib).join(', ')} in the thirds of the run`;
  return table([
    ['faults survived', String(report.results.length)],
    ['calls', `${report.calls}, and ${stats.commands} commands`],
    ['errors', describeErrors(report.errors, 20)],
    [
      'writes',
      `${writes.acknowledged} acknowledged, ${writes.maybe} maybe, ${writes.never} never, ${writes.open} open`,
    ],
    [
      'promises settled',
      `${settling.settled}, at worst ${Math.round(settling.worstMs)} ms late (${settling.worstWhat})`,
    ],
    ['event loop held up', `at most ${Math.round(settling.longestStallMs)} ms`],
    ['messages', `${messages.received} received, ${messages.gaps} gaps reported`],
    [
      'connections',
      `at most ${report.mostConnections} of ${stats.connections.max}, ${stats.connectAttempts} attempts`,
    ],
    ['log lines', String(report.logLines)],
    ['heap after a collection', heap],
    ['close()', `${drain.durationMs} ms${drain.drained ? '' : ', not drained'}`],
  ]);
}

function invariantTable({ counts }: Violations): string[] {
  const rows = Object.entries(INVARIANTS).map(([name, description]) => [
    description,
    String(counts.get(name as Invariant) ?? 0),
  ]);
  return table([['must be 0', ''], ...rows]);
}

function verdict({ seed, violations, results }: ChaosReport): string[] {
  if (violations.total === 0) return [`Seed ${seed}: all held.`];
  const lines = violations.kept.map(
    ({ invariant, what, during }) => `  ${INVARIANTS[invariant]}: ${what}\n    in ${during}`,
  );
  const failed = results
    .filter(({ recovery }) => slowest(recovery) === undefined)
    .map(
      ({ step, recovery }) => `  no recovery after "${step.fault.kind.name}": ${describeRecovery(recovery)}`,
    );
  return [`Seed ${seed}: BROKEN, ${violations.total} in all. The first ones:`, ...lines, ...failed];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
