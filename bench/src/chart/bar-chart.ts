import { element, picture, text } from './svg.js';
import type { Theme } from './theme.js';

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** The value as it is shown, with its unit. */
  readonly label: string;
  /** `limit` is drawn as an outline: no library can be there. */
  readonly kind: 'pool' | 'peer' | 'limit';
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const NAMES_WIDTH = 270;
const LABELS_WIDTH = 100;
const TOP = 66;
const ROW = 30;
const THICKNESS = 18;
const MARGIN = 20;

/** Horizontal bars from zero, in the order given. */
export function drawBarChart({ title, subtitle, bars }: BarChart, theme: Theme): string {
  const height = TOP + bars.length * ROW + MARGIN;
  const longest = Math.max(...bars.map(({ value }) => value));
  const scale = (WIDTH - NAMES_WIDTH - LABELS_WIDTH) / longest;
  const rows = bars.flatMap((bar, index) => drawBar(bar, { y: TOP + index * ROW, scale, theme }));
  return picture({ width: WIDTH, height, title: `${title}. ${subtitle}`, ground: theme.ground }, [
    text(title, { x: MARGIN, y: 28, fill: theme.text, 'font-size': 16, 'font-weight': 600 }),
    text(subtitle, { x: MARGIN, y: 48, fill: theme.muted }),
    ...rows,
  ]);
}

function drawBar(
  { name, value, label, kind }: Bar,
  { y, scale, theme }: { y: number; scale: number; theme: Theme },
): string[] {
  const width = Math.max(1, value * scale);
  const baseline = y + THICKNESS / 2 + 4.5;
  const emphasis = kind === 'pool' ? { 'font-weight': 700 } : {};
  const shape = { x: NAMES_WIDTH, y, width, height: THICKNESS, rx: 2 };
  const fill = kind === 'pool' ? theme.accent : theme.bar;
  const outline = { fill: 'none', stroke: theme.bar, 'stroke-width': 1.5, 'stroke-dasharray': '4 3' };
  return [
    text(name, { x: NAMES_WIDTH - 10, y: baseline, 'text-anchor': 'end', fill: theme.text, ...emphasis }),
    element('rect', { ...shape, ...(kind === 'limit' ? outline : { fill }) }),
    text(label, { x: NAMES_WIDTH + width + 8, y: baseline, fill: theme.text, ...emphasis }),
  ];
}
