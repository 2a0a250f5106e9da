import type { CellResult } from '../cell/cell-result.js';
import { type Cell, sizeName, WORKLOADS } from '../cell/cell-spec.js';
import type { Results } from '../results/results-file.js';
import { TRANSPORT_NAMES, WORKLOAD_NAMES } from './names.js';

/** Cells that differ in their callers only. */
export interface CellGroup {
  readonly title: string;
  readonly cells: readonly CellResult[];
}

/** The cells of one process by transport, workload and size, each group by callers. */
export function groupCells({ cells }: Results): CellGroup[] {
  const groups = new Map<string, CellResult[]>();
  const shared = Object.values(cells).filter(({ cell }) => cell.processes === 'shared');
  for (const result of shared.sort((a, b) => compare(a.cell, b.cell))) {
    const title = groupTitle(result.cell);
    groups.set(title, [...(groups.get(title) ?? []), result]);
  }
  return [...groups].map(([title, members]) => ({ title, cells: members }));
}

function groupTitle({ transport, workload, valueBytes }: Cell): string {
  const size = sizeName(valueBytes).replace(/(\d)([A-Z])/, '$1 $2');
  const over = transport === 'tcp' ? '' : ` over ${TRANSPORT_NAMES[transport]}`;
  return `${WORKLOAD_NAMES[workload]}, ${size}${over}`;
}

function compare(a: Cell, b: Cell): number {
  return (
    Number(a.transport !== 'tcp') - Number(b.transport !== 'tcp') ||
    WORKLOADS.indexOf(a.workload) - WORKLOADS.indexOf(b.workload) ||
    a.valueBytes - b.valueBytes ||
    a.transport.localeCompare(b.transport) ||
    a.callers - b.callers
  );
}
