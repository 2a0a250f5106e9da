import { count } from '../report/figures.js';
import { spread } from './spread.js';
import { element, picture, text } from './svg.js';
import type { Theme } from './theme.js';

interface Line {
  readonly name: string;
  /** One value for each of the chart's positions; `undefined` leaves a gap at the end or start. */
  readonly values: readonly (number | undefined)[];
  readonly kind: 'pool' | 'peer' | 'limit';
}

export interface LineChart {
  readonly title: string;
  readonly subtitle: string;
  /** Names of the positions from left to right, evenly spread. */
  readonly positions: readonly string[];
  readonly axis: string;
  readonly lines: readonly Line[];
}

const WIDTH = 760;
const HEIGHT = 440;
const PLOT = { left: 64, right: 560, top: 74, bottom: 386 };
const MARGIN = 20;
const LABEL_GAP = 17;

/** Lines over a logarithmic axis, each named at its end: equal distances are equal ratios. */
export function drawLineChart(chart: LineChart, theme: Theme): string {
  const { title, subtitle, axis, lines } = chart;
  const scale = createScale(chart);
  const ground = theme.ground;
  return picture({ width: WIDTH, height: HEIGHT, title: `${title}. ${subtitle}`, ground }, [
    text(title, { x: MARGIN, y: 28, fill: theme.text, 'font-size': 16, 'font-weight': 600 }),
    text(subtitle, { x: MARGIN, y: 48, fill: theme.muted }),
    ...drawGrid(chart, scale, theme),
    text(axis, {
      x: (PLOT.left + PLOT.right) / 2,
      y: HEIGHT - 14,
      'text-anchor': 'middle',
      fill: theme.muted,
    }),
    ...lines.map((line, index) => drawLine(line, scale, style(line, index, theme))),
    ...drawNames(lines, scale, theme),
  ]);
}

interface Scale {
  readonly x: (position: number) => number;
  readonly y: (value: number) => number;
  /** Powers of ten, and 2 and 5 times those, inside the plot. */
  readonly ticks: readonly number[];
}

function createScale({ positions, lines }: LineChart): Scale {
  const values = lines.flatMap((line) => line.values.filter((value) => value !== undefined));
  const [low, high] = [Math.min(...values) * 0.8, Math.max(...values) * 1.2];
  const share = (value: number) => Math.log(value / low) / Math.log(high / low);
  const decades = Array.from({ length: 9 }, (_, exponent) => 10 ** exponent);
  return {
    x: (position) => PLOT.left + 16 + (position / (positions.length - 1)) * (PLOT.right - PLOT.left - 32),
    y: (value) => PLOT.bottom - share(value) * (PLOT.bottom - PLOT.top),
    ticks: decades
      .flatMap((decade) => [decade, 2 * decade, 5 * decade])
      .filter((tick) => tick >= low && tick <= high),
  };
}

function drawGrid({ positions }: LineChart, { x, y, ticks }: Scale, theme: Theme): string[] {
  const rules = ticks.flatMap((tick) => [
    element('line', { x1: PLOT.left, x2: PLOT.right, y1: y(tick), y2: y(tick), stroke: theme.grid }),
    text(count(tick).replace(/\.0+(?= )/, ''), {
      x: PLOT.left - 8,
      y: y(tick) + 4.5,
      'text-anchor': 'end',
      fill: theme.muted,
    }),
  ]);
  const names = positions.map((position, index) =>
    text(position, { x: x(index), y: PLOT.bottom + 20, 'text-anchor': 'middle', fill: theme.muted }),
  );
  return [...rules, ...names];
}

interface LineStyle {
  readonly stroke: string;
  readonly 'stroke-width': number;
  readonly 'stroke-dasharray': string;
}

function style({ kind }: Line, index: number, theme: Theme): LineStyle {
  if (kind === 'pool') return { stroke: theme.accent, 'stroke-width': 3.5, 'stroke-dasharray': 'none' };
  if (kind === 'limit') return { stroke: theme.muted, 'stroke-width': 1.5, 'stroke-dasharray': '5 4' };
  const stroke = theme.lines[index % theme.lines.length] ?? theme.muted;
  return { stroke, 'stroke-width': 2, 'stroke-dasharray': 'none' };
}

function drawLine({ values }: Line, { x, y }: Scale, lineStyle: LineStyle): string {
  const points = values.flatMap((value, index) =>
    value === undefined ? [] : [{ x: x(index), y: y(value) }],
  );
  const path = points.map((point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`).join(' ');
  const line = element('polyline', { points: path, fill: 'none', 'stroke-linejoin': 'round', ...lineStyle });
  const dots = points.map(({ x: cx, y: cy }) => element('circle', { cx, cy, r: 3, fill: lineStyle.stroke }));
  return [line, ...dots].join('');
}

function drawNames(lines: readonly Line[], { y }: Scale, theme: Theme): string[] {
  const wanted = lines.map(({ values }) => y(values.filter((value) => value !== undefined).at(-1) ?? 1));
  const places = spread(wanted, { gap: LABEL_GAP, low: PLOT.top, high: PLOT.bottom });
  return lines.map((line, index) => {
    const { stroke } = style(line, index, theme);
    const weight = line.kind === 'pool' ? 700 : 400;
    const at = { x: PLOT.right + 6, y: (places[index] ?? 0) + 4.5 };
    return text(line.name, { ...at, fill: stroke, 'font-weight': weight });
  });
}
