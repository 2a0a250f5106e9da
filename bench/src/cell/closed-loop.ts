import type { Operation } from './workload.js';

/** More than any peer answers in one window; later samples take the place of the first. */
const SAMPLES = 2 ** 20;
const SAMPLE_MASK = SAMPLES - 1;
const samples = new Float32Array(SAMPLES);

/** What one peer did in one window. */
export interface Window {
  readonly operations: number;
  readonly seconds: number;
  /** Latency as a caller sees it, from its call to the turn in which it goes on. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of this whole process, all its threads. */
  readonly cpuUs: number;
}

/** Each caller waits for its reply and calls again at once, until the time is over. */
export async function runWindow(operation: Operation, callers: number, windowMs: number): Promise<Window> {
  let operations = 0;
  let issued = 0;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + windowMs;
  const caller = async (): Promise<void> => {
    let calledAt = performance.now();
    while (calledAt < endsAt) {
      await operation(issued++);
      const answeredAt = performance.now();
      samples[operations & SAMPLE_MASK] = answeredAt - calledAt;
      operations += 1;
      calledAt = answeredAt;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { operations, seconds, ...percentiles(operations), cpuUs: user + system };
}

function percentiles(operations: number): Pick<Window, 'p50Us' | 'p99Us'> {
  const sorted = samples.subarray(0, Math.min(operations, SAMPLES)).sort();
  const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 1_000;
  return { p50Us: at(0.5), p99Us: at(0.99) };
}
