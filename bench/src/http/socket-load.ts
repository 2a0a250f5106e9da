import type { Answers, LoadOrder } from './load.js';
import { LoadConnection } from './load-connection.js';

/** Asks over sockets of our own. @throws when an answer is not 200 or a connection breaks */
export async function loadWithSockets({ port, path, connections, windowMs }: LoadOrder): Promise<Answers> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + windowMs;
  const onAnswer = (ms: number): boolean => {
    latencies.push(ms);
    return performance.now() < endsAt;
  };
  const all = Array.from({ length: connections }, () => new LoadConnection({ port, path }, onAnswer));
  await Promise.all(all.map(({ closed }) => closed));
  const seconds = (performance.now() - startedAt) / 1_000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return { requests: latencies.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}
