import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.js';

/** Records values as if each of them had begun that long ago. */
async function record(values: readonly number[]): Promise<LatencyHistogram> {
  const histogram = new LatencyHistogram();
  for (const elapsedMs of values) histogram.record(performance.now() - elapsedMs);
  return histogram;
}

describe('LatencyHistogram', () => {
  it('is all zero while nothing was recorded', () => {
    const zero = { count: 0, meanMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, maxMs: 0 };
    expect(new LatencyHistogram().snapshot()).toEqual(zero);
  });

  it('knows each percentile to within an eighth', async () => {
    const values = Array.from({ length: 1000 }, (_, index) => index + 1);
    const { count, meanMs, p50Ms, p90Ms, p99Ms, maxMs } = (await record(values)).snapshot();
    expect(count).toBe(1000);
    // Half a millisecond of leeway: the clock of the histogram stands still within one turn.
    expect(Math.abs(meanMs - 500.5)).toBeLessThan(2);
    for (const [value, truth] of [
      [p50Ms, 500],
      [p90Ms, 900],
      [p99Ms, 990],
    ] as const) {
      expect(value).toBeGreaterThanOrEqual(truth * 0.99);
      expect(value).toBeLessThanOrEqual(truth * 1.13);
    }
    expect(Math.abs(maxMs - 1000)).toBeLessThan(2);
  });

  it('never reports a percentile above the maximum, and takes values beyond its range', async () => {
    const histogram = await record([3_600_000]);
    const { p99Ms, maxMs } = histogram.snapshot();
    expect(p99Ms).toBeLessThanOrEqual(maxMs);
    expect(p99Ms).toBeGreaterThan(60_000);
  });

  it('takes a start in the future as no time at all', () => {
    const histogram = new LatencyHistogram();
    histogram.record(performance.now() + 1000);
    expect(histogram.snapshot()).toMatchObject({ count: 1, meanMs: 0, maxMs: 0 });
  });
});
