import { sizeName } from '../cell/cell-spec.js';
import type { Chart } from '../chart/charts.js';
import { type CellGroup, groupCells } from '../report/cell-groups.js';
import { comparePeer } from '../report/compare.js';
import { comparison } from '../report/figures.js';
import { markdownTable, type Table } from '../report/table.js';
import {
  costTable,
  goalTable,
  httpTable,
  idleTable,
  latencyTable,
  memoryTable,
  separateTable,
  throughputTable,
} from '../report/tables.js';
import type { Results } from '../results/results-file.js';
import { methodText } from './method-text.js';

const STEADINESS = `In brackets: how many times as much the pool does, as the median of the ratios of each round. A question mark, or
\`unsteady\`: single rounds of one of the two were more than a factor of two apart, so that conditions changed
meanwhile and the ratio may be chance.`;

/** The whole page. Every figure in it comes from the results. */
export function pageText(results: Results, charts: readonly Chart[]): string {
  return `${[
    '<!-- Made by `pnpm bench --page` of docs/bench/results.json. Changes here are lost. -->',
    '# Benchmarks',
    'The pool beside other ways to use Redis from Node, all measured in one run.',
    methodText(results),
    '## Goals',
    markdownTable(goalTable(results)),
    '## Commands',
    STEADINESS,
    ...charts.filter(({ file }) => !file.startsWith('http')).map(chartMarkup),
    '### Compared with plain ioredis',
    'Operations per second of the pool divided by those of ioredis on the same kind of connection.',
    markdownTable(ratioTable(results)),
    ...groupCells(results).map(groupText),
    ...httpText(results, charts),
    ...sideText(results),
  ].join('\n\n')}\n`;
}

function chartMarkup({ file, title }: Chart): string {
  const source = (theme: string) => `bench/${file}-${theme}.svg`;
  return [
    '<picture>',
    `  <source media="(prefers-color-scheme: dark)" srcset="${source('dark')}">`,
    `  <img alt="${title}" src="${source('light')}">`,
    '</picture>',
  ].join('\n');
}

function ratioTable(results: Results): Table {
  const groups = groupCells(results);
  const callers = [...new Set(groups.flatMap(({ cells }) => cells.map(({ cell }) => cell.callers)))];
  callers.sort((a, b) => a - b);
  const rows = groups.map(({ title, cells }) => [
    title,
    ...callers.map((count) => {
      const found = comparePeer(
        cells.find(({ cell }) => cell.callers === count),
        'ioredis',
      );
      return found === undefined ? '' : comparison(found);
    }),
  ]);
  return [['callers', ...callers.map(String)], ...rows];
}

function groupText({ title, cells }: CellGroup): string {
  return [
    `### ${title}`,
    'Operations per second:',
    markdownTable(throughputTable(cells)),
    '<details><summary>Latency (median / 99th percentile), CPU time and heap for one operation</summary>',
    markdownTable(latencyTable(cells)),
    markdownTable(costTable(cells)),
    '</details>',
  ].join('\n\n');
}

function httpText(results: Results, charts: readonly Chart[]): string[] {
  const parts = Object.values(results.http).map((result) =>
    [
      `### ${result.commands === 1 ? 'One command' : `${result.commands} commands`} a request`,
      ...charts.filter(({ file }) => file === `http-${result.commands}`).map(chartMarkup),
      markdownTable(httpTable(result)),
    ].join('\n\n'),
  );
  if (parts.length === 0) return [];
  const [{ connections, timing } = { connections: 0, timing: undefined }] = Object.values(results.http);
  const text = `The same Fastify app in a process for each variant, asked over ${connections} keep-alive connections by another
process; the commands of a request run at once (\`Promise.all\`), GETs of ${sizeName(100)}. ${timing?.rounds ?? 0} rounds after one to warm up.
\`a connection per request\` opens one connection for all commands of a request, \`a connection per command\` one
for each, as a helper does that opens and closes one inside; with one command that is the same.`;
  return ['## HTTP', text, ...parts];
}

function sideText(results: Results): string[] {
  const memory = results.memory['memory/in-flight'];
  return [
    ...(memory === undefined
      ? []
      : [
          '## Memory of a command in flight',
          `${memory.commands.toLocaleString('en')} GETs sent to a server that is stopped (SIGSTOP), divided by their number: what the process
grew by, promises included. Afterwards the server goes on and every reply is awaited.`,
          markdownTable(memoryTable(results)),
        ]),
    ...(results.idle.idle === undefined
      ? []
      : [
          '## Do the peers disturb each other?',
          `Peers of one cell share a process and are measured in turn, so one that waits must cost nothing. This is what
an unused, connected client costs, in a process of its own:`,
          markdownTable(idleTable(results)),
        ]),
    ...(results.cells['tcp/get/100B/256/separate'] === undefined
      ? []
      : [
          `And this is how the pool compares when every peer has a process of its own, windows still in turn (GET of 100
bytes, 256 callers):`,
          markdownTable(separateTable(results)),
        ]),
  ];
}
