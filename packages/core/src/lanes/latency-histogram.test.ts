import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.js';

/**
 * Records values as if each of them had begun that long ago. The histogram looks at the clock once in a turn, at the first
 * of them: each value counts with up to `lateMs` more, which is what the machine took until then.
 */
function record(values: readonly number[]): { histogram: LatencyHistogram; lateMs: number } {
  const histogram = new LatencyHistogram();
  const now = performance.now();
  let lateMs: number | undefined;
  for (const elapsedMs of values) {
    histogram.record(now - elapsedMs);
    lateMs ??= performance.now() - now;
  }
  return { histogram, lateMs: lateMs ?? 0 };
}

/** As far as sums of floating point numbers go. */
function expectWithin(value: number, least: number, most: number): void {
  expect(value).toBeGreaterThan(least - 0.001);
  expect(value).toBeLessThan(most + 0.001);
}

describe('LatencyHistogram', () => {
  it('is all zero while nothing was recorded', () => {
    const zero = { count: 0, meanMs: 0, p50Ms: 0, p90Ms: 0, p99Ms: 0, maxMs: 0 };
    expect(new LatencyHistogram().snapshot()).toEqual(zero);
  });

  it('knows each percentile to within an eighth', () => {
    const values = Array.from({ length: 1000 }, (_, index) => index + 1);
    const { histogram, lateMs } = record(values);
    const { count, meanMs, p50Ms, p90Ms, p99Ms, maxMs } = histogram.snapshot();
    expect(count).toBe(1000);
    expectWithin(meanMs, 500.5, 500.5 + lateMs);
    for (const [value, truth] of [
      [p50Ms, 500],
      [p90Ms, 900],
      [p99Ms, 990],
    ] as const) {
      expect(value).toBeGreaterThanOrEqual(truth * 0.99);
      expect(value).toBeLessThanOrEqual((truth + lateMs) * 1.13);
    }
    expectWithin(maxMs, 1_000, 1_000 + lateMs);
  });

  it('never reports a percentile above the maximum, and takes values beyond its range', () => {
    const { histogram } = record([3_600_000]);
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
