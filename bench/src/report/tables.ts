import type { CellResult, PeerMeasurement } from '../cell/cell-result.js';
import type { HttpResult, VariantMeasurement } from '../http/http-result.js';
import { VARIANT_IDS } from '../http/variant.js';
import { PEER_IDS, type PeerId } from '../peers/peer.js';
import { median } from '../results/median.js';
import type { Results } from '../results/results-file.js';
import { comparePeer, compareVariant } from './compare.js';
import { bytes, comparison, count, digits, micros, ratio } from './figures.js';
import { evaluateGoals, verdict } from './goals.js';
import { PEER_NAMES, VARIANT_NAMES } from './names.js';
import type { Table } from './table.js';

export function goalTable(results: Results): Table {
  const rows = evaluateGoals(results).map((goal) => {
    const { text, bound, measured } = goal;
    return [text, `${bound.kind} ${ratio(bound.ratio)}`, present(measured, comparison), verdict(goal)];
  });
  return [['The pool compared', 'goal', 'measured', ''], ...rows];
}

/** Operations per second of each peer by callers; in brackets how many times that the pool does. */
export function throughputTable(cells: readonly CellResult[]): Table {
  const peers = presentPeers(cells);
  const row = (cell: CellResult) => [
    `${cell.cell.callers}`,
    ...peers.map((peer) => withRatio(cell, peer, count(median(cell.peers[peer]?.opsPerSecond ?? [])))),
  ];
  return [['callers', ...peers.map((peer) => PEER_NAMES[peer])], ...cells.map(row)];
}

/** Median and 99th percentile of the latency of each peer by callers. */
export function latencyTable(cells: readonly CellResult[]): Table {
  const peers = presentPeers(cells);
  const text = ({ p50Us, p99Us }: PeerMeasurement) => `${micros(median(p50Us))} / ${micros(median(p99Us))}`;
  const row = (cell: CellResult) => [
    `${cell.cell.callers}`,
    ...peers.map((peer) => present(cell.peers[peer], text)),
  ];
  return [['callers', ...peers.map((peer) => PEER_NAMES[peer])], ...cells.map(row)];
}

/** What one operation costs this process, by callers: CPU time and bytes allocated on V8's heap. */
export function costTable(cells: readonly CellResult[]): Table {
  const peers = presentPeers(cells);
  const text = ({ cpuUsPerOp, allocatedBytesPerOp }: PeerMeasurement) =>
    `${digits(median(cpuUsPerOp))} us, ${bytes(allocatedBytesPerOp)}`;
  const row = (cell: CellResult) => [
    `${cell.cell.callers}`,
    ...peers.map((peer) => present(cell.peers[peer], text)),
  ];
  return [['callers', ...peers.map((peer) => PEER_NAMES[peer])], ...cells.map(row)];
}

export function httpTable(http: HttpResult): Table {
  const head = [
    '',
    'requests/s',
    'the pool does',
    'p50',
    'p99',
    'CPU of the app per request',
    'cores of the load',
  ];
  const rows = VARIANT_IDS.flatMap((id) => {
    const measured = http.variants[id];
    if (measured === undefined) return [];
    const of = (series: keyof VariantMeasurement) => median(measured[series]);
    const ours = id === 'redis-pool' ? '' : present(compareVariant(http, id), comparison);
    const figures = [
      count(of('requestsPerSecond')),
      ours,
      `${digits(of('p50Ms'))} ms`,
      `${digits(of('p99Ms'))} ms`,
    ];
    return [[VARIANT_NAMES[id], ...figures, micros(of('cpuUsPerRequest')), digits(of('loadCores'))]];
  });
  return [head, ...rows];
}

export function memoryTable({ memory }: Results): Table {
  const peers = Object.entries(memory['memory/in-flight']?.peers ?? {});
  const rows = peers.map(([id, { heapBytes, externalBytes, rssBytes }]) => [
    PEER_NAMES[id as PeerId],
    ...[heapBytes, externalBytes, rssBytes].map(bytes),
  ]);
  return [['', 'heap', 'Buffers', 'resident'], ...rows];
}

export function idleTable({ idle }: Results): Table {
  const peers = Object.entries(idle.idle?.peers ?? {});
  const rows = peers.map(([id, { cpuMsPerSecond, threads }]) => [
    PEER_NAMES[id as PeerId],
    `${digits(cpuMsPerSecond)} ms`,
    `${threads}`,
  ]);
  return [['connected, unused', 'CPU per second', 'more threads'], ...rows];
}

/** How the pool compares to each peer when all share a process, and when each has its own. */
export function separateTable({ cells }: Results): Table {
  const shared = cells['tcp/get/100B/256'];
  const separate = cells['tcp/get/100B/256/separate'];
  const rows = PEER_IDS.filter((id) => id !== 'redis-pool').map((peer) => [
    PEER_NAMES[peer],
    present(comparePeer(shared, peer), comparison),
    present(comparePeer(separate, peer), comparison),
  ]);
  return [['the pool does', 'one process', 'a process each'], ...rows];
}

function withRatio(cell: CellResult, peer: PeerId, text: string): string {
  const compared = peer === 'redis-pool' ? undefined : comparePeer(cell, peer);
  return compared === undefined ? text : `${text} (${comparison(compared)})`;
}

function presentPeers(cells: readonly CellResult[]): PeerId[] {
  return PEER_IDS.filter((id) => cells.some(({ peers }) => peers[id] !== undefined));
}

function present<T>(value: T | undefined, text: (value: T) => string): string {
  return value === undefined ? '–' : text(value);
}
