import type { PeerMeasurement } from '../cell/cell-result.js';
import type { CommandCount } from '../http/app.js';
import { VARIANT_IDS } from '../http/variant.js';
import { PEER_IDS, type PeerId } from '../peers/peer.js';
import { isSteady } from '../report/compare.js';
import { bytes, count, digits, micros } from '../report/figures.js';
import { PEER_NAMES, VARIANT_NAMES } from '../report/names.js';
import { median } from '../results/median.js';
import type { Results } from '../results/results-file.js';
import { type Bar, type BarChart, drawBarChart } from './bar-chart.js';
import { drawLineChart, type LineChart } from './line-chart.js';
import type { Theme } from './theme.js';

/** A chart of the page. */
export interface Chart {
  /** Name of its files, without theme and ending. */
  readonly file: string;
  readonly title: string;
  draw(theme: Theme): string;
}

const CALLERS = [1, 4, 8, 32, 256, 1_024];
/** A line chart of all peers could not be read; the others are in the tables. */
const LINES: readonly PeerId[] = [
  'bare-socket',
  'ioredis-autopipelining',
  'ioredis',
  'node-redis',
  'valkey-glide',
  'generic-pool',
  'redis-pool',
];

/** The charts of what is in the results. */
export function createCharts(results: Results): Chart[] {
  const charts = [
    throughputByCallers(results),
    peerBars(results, {
      file: 'get-256-callers',
      title: 'GET of 100 bytes, 256 callers',
      subtitle: 'Operations per second, more is better',
      callers: 256,
      value: ({ opsPerSecond }) => median(opsPerSecond),
      label: count,
    }),
    peerBars(results, {
      file: 'latency-1-caller',
      title: 'GET of 100 bytes, 1 caller',
      subtitle: 'Median latency, less is better',
      callers: 1,
      value: ({ p50Us }) => median(p50Us),
      label: micros,
    }),
    peerBars(results, {
      file: 'cpu-per-command',
      title: 'CPU time of the application for one GET, 256 callers',
      subtitle: 'Microseconds, all threads of the process, less is better',
      callers: 256,
      value: ({ cpuUsPerOp }) => median(cpuUsPerOp),
      label: (value) => `${digits(value)} us`,
    }),
    peerBars(results, {
      file: 'allocated-per-command',
      title: 'Heap allocated for one GET, 256 callers',
      subtitle: "Bytes on V8's heap, less is better",
      callers: 256,
      value: ({ allocatedBytesPerOp }) => allocatedBytesPerOp,
      label: bytes,
    }),
    httpBars(results, 1),
    httpBars(results, 10),
  ];
  return charts.filter((chart) => chart !== undefined);
}

function throughputByCallers({ cells }: Results): Chart | undefined {
  const measured = CALLERS.filter((callers) => cells[`tcp/get/100B/${callers}`] !== undefined);
  if (measured.length < 2) return undefined;
  const line = (peer: PeerId) => ({
    name: PEER_NAMES[peer],
    kind: kindOf(peer),
    values: measured.map((callers) => {
      const found = cells[`tcp/get/100B/${callers}`]?.peers[peer];
      return found && median(found.opsPerSecond);
    }),
  });
  const chart: LineChart = {
    title: 'GET of 100 bytes by concurrent callers',
    subtitle: 'Operations per second, logarithmic, more is better',
    positions: measured.map(String),
    axis: 'callers that each wait for their reply',
    lines: LINES.map(line).filter(({ values }) => values.some((value) => value !== undefined)),
  };
  return { file: 'get-by-callers', title: chart.title, draw: (theme) => drawLineChart(chart, theme) };
}

interface PeerBarsOptions {
  readonly file: string;
  readonly title: string;
  readonly subtitle: string;
  readonly callers: number;
  readonly value: (measurement: PeerMeasurement) => number;
  readonly label: (value: number) => string;
}

/** Not of a cell whose conditions changed: a picture has no question marks. */
function peerBars({ cells }: Results, options: PeerBarsOptions): Chart | undefined {
  const { file, title, subtitle, callers, value, label } = options;
  const cell = cells[`tcp/get/100B/${callers}`];
  if (cell === undefined || !Object.values(cell.peers).every(isSteady)) return undefined;
  const bars = PEER_IDS.flatMap((peer): Bar[] => {
    const measurement = cell.peers[peer];
    if (measurement === undefined) return [];
    const figure = value(measurement);
    return [{ name: PEER_NAMES[peer], value: figure, label: label(figure), kind: kindOf(peer) }];
  });
  return barChart(file, { title, subtitle, bars });
}

function httpBars({ http }: Results, commands: CommandCount): Chart | undefined {
  const result = http[`http/${commands}`];
  if (result === undefined) return undefined;
  const bars = VARIANT_IDS.flatMap((id): Bar[] => {
    const measured = result.variants[id];
    if (measured === undefined) return [];
    const value = median(measured.requestsPerSecond);
    const kind = id === 'no-redis' ? 'limit' : id.startsWith('redis-pool') ? 'pool' : 'peer';
    return [{ name: VARIANT_NAMES[id], value, label: count(value), kind }];
  });
  return barChart(`http-${commands}`, {
    title: `Fastify, ${commands === 1 ? 'one command' : `${commands} commands`} a request`,
    subtitle: `Requests per second over ${result.connections} connections, more is better`,
    bars,
  });
}

function barChart(file: string, chart: BarChart): Chart | undefined {
  if (chart.bars.length === 0) return undefined;
  return { file, title: chart.title, draw: (theme) => drawBarChart(chart, theme) };
}

function kindOf(peer: PeerId): Bar['kind'] {
  if (peer === 'redis-pool') return 'pool';
  return peer === 'bare-socket' ? 'limit' : 'peer';
}
