/** Buckets per doubling: a value is known to within 1/8 of itself. */
const STEPS_PER_OCTAVE = 8;
const OCTAVES = 27;

/** Distribution of the time from call to reply, in milliseconds. */
export interface LatencySnapshot {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/**
 * Log-linear histogram from 1 µs to about two minutes, in 1.7 KiB: cheap enough to see every command, where
 * `node:perf_hooks` histograms cost more than the command.
 */
export class LatencyHistogram {
  readonly #buckets = new Uint32Array(OCTAVES * STEPS_PER_OCTAVE);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;
  #now = 0;

  /** Records the time since `startedAt` (`performance.now()`), up to now. */
  record(startedAt: number): void {
    const now = this.#clock();
    const elapsedMs = now > startedAt ? now - startedAt : 0;
    const bucket = bucketOf(elapsedMs * 1000);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    this.#count += 1;
    this.#sumMs += elapsedMs;
    if (elapsedMs > this.#maxMs) this.#maxMs = elapsedMs;
  }

  snapshot(): LatencySnapshot {
    return {
      count: this.#count,
      meanMs: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50Ms: this.#percentile(0.5),
      p90Ms: this.#percentile(0.9),
      p99Ms: this.#percentile(0.99),
      maxMs: this.#maxMs,
    };
  }

  // The replies of one chunk are taken in one go and came at the same time: one look at the clock for all.
  #clock(): number {
    if (this.#now === 0) {
      this.#now = performance.now();
      queueMicrotask(this.#forget);
    }
    return this.#now;
  }

  readonly #forget = (): void => {
    this.#now = 0;
  };

  #percentile(share: number): number {
    let left = this.#count * share;
    for (let bucket = 0; bucket < this.#buckets.length; bucket += 1) {
      left -= this.#buckets[bucket] as number;
      if (left <= 0) return Math.min(upperEdge(bucket) / 1000, this.#maxMs);
    }
    return this.#maxMs;
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < STEPS_PER_OCTAVE) return Math.floor(microseconds);
  const whole = Math.min(microseconds, 0x7fff_ffff) >>> 0;
  const octave = 31 - Math.clz32(whole);
  const step = (whole >>> (octave - 3)) & (STEPS_PER_OCTAVE - 1);
  return Math.min((octave - 2) * STEPS_PER_OCTAVE + step, OCTAVES * STEPS_PER_OCTAVE - 1);
}

function upperEdge(bucket: number): number {
  if (bucket < STEPS_PER_OCTAVE) return bucket + 1;
  const octave = Math.floor(bucket / STEPS_PER_OCTAVE) + 2;
  const step = bucket % STEPS_PER_OCTAVE;
  return 2 ** octave + (step + 1) * 2 ** (octave - 3);
}
