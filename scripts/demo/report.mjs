const COLUMNS = [
  { title: '', width: 40, cell: ({ variant }) => variant.name },
  { title: 'requests/s', width: 10, cell: ({ requestsPerSecond }) => formatCount(requestsPerSecond) },
  { title: 'p50 ms', width: 8, cell: ({ p50Ms }) => p50Ms.toFixed(1) },
  { title: 'p99 ms', width: 8, cell: ({ p99Ms }) => p99Ms.toFixed(1) },
  { title: 'opened', width: 8, cell: ({ opened }) => formatCount(opened) },
  { title: 'held', width: 6, cell: ({ held }) => formatCount(held) },
  { title: 'failed', width: 8, cell: ({ failed }) => formatCount(failed) },
];

export function formatCount(value) {
  return Math.round(value).toLocaleString('en-US');
}

/** One line a row. Opened and held are connections to Redis; failed are answers other than 2xx, and none at all. */
export function formatTable(rows) {
  const titles = COLUMNS.map(({ title, width }) => align(title, width));
  const lines = rows.map((row) => COLUMNS.map(({ width, cell }) => align(cell(row), width)));
  const rule = COLUMNS.map(({ width }) => '-'.repeat(width));
  return [titles, rule, ...lines].map((cells) => `  ${cells.join('  ')}`);
}

/** How much more the last row does than each of the others. */
export function formatRatios(rows) {
  const ours = rows.at(-1);
  return rows.slice(0, -1).map(({ variant, requestsPerSecond }) => {
    const ratio = ours.requestsPerSecond / requestsPerSecond;
    return `  ${ratio.toFixed(1)} x the requests of: ${variant.name}`;
  });
}

/** Names to the left, figures to the right. */
function align(text, width) {
  return width === COLUMNS[0].width ? text.padEnd(width) : text.padStart(width);
}
