import { median } from '../results/median.js';
import type { Results } from '../results/results-file.js';

/**
 * How far the ratio of a single round (the pool's operations to a peer's) typically is from the median of all
 * rounds, as a share of it: the median over all peers of all cells.
 */
export function roundNoise({ cells }: Results): number {
  const deviations = Object.values(cells).flatMap(({ peers }) => {
    const { 'redis-pool': pool, ...others } = peers;
    return Object.values(others).map(({ opsPerSecond }) =>
      medianDeviation(
        (pool?.opsPerSecond ?? []).map((ours, round) => ours / (opsPerSecond[round] ?? Number.NaN)),
      ),
    );
  });
  return median(deviations.filter((deviation) => !Number.isNaN(deviation)));
}

function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle) / middle));
}
