const WARM_UP_SHARE = 1 / 3;
const ALLOWED_SHARE = 0.2;
const ALLOWED_BYTES = 6 * 1024 * 1024;

/** The heap after a collection, at one moment of a run. */
export interface HeapSample {
  readonly atMs: number;
  readonly bytes: number;
}

/** How the heap went over a run. */
export interface MemoryTrend {
  /** The least of each third of the run; what was in use for a moment only does not count. */
  readonly thirds: readonly number[];
  readonly bytesPerMinute: number;
  readonly grows: boolean;
}

/** `undefined` for a run of too few samples to say anything. */
export function memoryTrend(samples: readonly HeapSample[]): MemoryTrend | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || samples.length < 9) return undefined;
  const spanMs = last.atMs - first.atMs;
  const third = (index: number) =>
    samples.filter(({ atMs }) => {
      const share = (atMs - first.atMs) / spanMs;
      return share >= index * WARM_UP_SHARE && share <= (index + 1) * WARM_UP_SHARE;
    });
  const thirds = [0, 1, 2].map((index) => Math.min(...third(index).map(({ bytes }) => bytes)));
  const [warm = 0, middle = 0, end = 0] = thirds;
  const growth = end - middle;
  // Over the last two thirds: what caches and compiled code take comes in the first.
  const grows = growth > ALLOWED_BYTES + ALLOWED_SHARE * middle && end > warm;
  return { thirds, bytesPerMinute: (growth / (spanMs / 3)) * 60_000, grows };
}

/** The heap after a collection; as it is where Node was started without --expose-gc. */
export function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
