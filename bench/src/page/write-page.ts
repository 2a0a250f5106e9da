import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCharts } from '../chart/charts.js';
import { THEMES, type ThemeName } from '../chart/theme.js';
import { readResults } from '../results/results-file.js';
import { pageText } from './page-text.js';

const PAGE = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));

/** Makes docs/benchmarks.md and its charts of the results file, beside which the charts go. */
export function writePage(resultsPath: string): void {
  const results = readResults(resultsPath);
  if (results === undefined)
    throw new Error(`There are no results in ${resultsPath}; measure some with --publish`);
  const charts = createCharts(results);
  const directory = dirname(resultsPath);
  removeCharts(directory);
  mkdirSync(directory, { recursive: true });
  for (const { file, draw } of charts) {
    for (const theme of Object.keys(THEMES) as ThemeName[]) {
      writeFileSync(join(directory, `${file}-${theme}.svg`), draw(THEMES[theme]));
    }
  }
  writeFileSync(PAGE, pageText(results, charts));
}

/** A chart that is not drawn any more is not left behind. */
function removeCharts(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.endsWith('.svg')) rmSync(join(directory, name));
  }
}
