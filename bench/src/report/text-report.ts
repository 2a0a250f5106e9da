import type { Results } from '../results/results-file.js';
import { groupCells } from './cell-groups.js';
import { textTable } from './table.js';
import {
  costTable,
  goalTable,
  httpTable,
  idleTable,
  latencyTable,
  memoryTable,
  throughputTable,
} from './tables.js';

/** Everything in the results, for a terminal; the goals last, where they are read first. */
export function textReport(results: Results): string {
  const groups = groupCells(results).flatMap(({ title, cells }) => [
    block(`${title}: operations/s (x: what the pool does)`, textTable(throughputTable(cells))),
    block(`${title}: latency p50 / p99`, textTable(latencyTable(cells))),
    block(`${title}: CPU time and heap allocated for one operation`, textTable(costTable(cells))),
  ]);
  const http = Object.entries(results.http).map(([id, result]) => block(id, textTable(httpTable(result))));
  const memory =
    Object.keys(results.memory).length > 0
      ? [block('A command in flight', textTable(memoryTable(results)))]
      : [];
  const idle =
    Object.keys(results.idle).length > 0 ? [block('Idle clients', textTable(idleTable(results)))] : [];
  return [...groups, ...http, ...memory, ...idle, block('Goals', textTable(goalTable(results)))].join('\n');
}

function block(title: string, body: string): string {
  return `\n${title}\n${body}\n`;
}
