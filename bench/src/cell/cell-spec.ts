import type { PeerId, Target } from '../peers/peer.js';

export const WORKLOADS = ['get', 'set', 'mixed', 'mget', 'hgetall'] as const;
export type Workload = (typeof WORKLOADS)[number];
export type Transport = Target['transport'];

/** One square of the matrix: all its peers do the same work in turn. */
export interface Cell {
  readonly transport: Transport;
  readonly workload: Workload;
  readonly valueBytes: number;
  readonly callers: number;
  readonly peers: readonly PeerId[];
  /** Whether the peers share one process, or have one each. */
  readonly processes: 'shared' | 'separate';
}

/** How long something is measured. */
export interface Timing {
  /** Length of one window of one peer. */
  readonly windowMs: number;
  /** Measured windows of each peer; one more round before them warms up and is thrown away. */
  readonly rounds: number;
  /** How often a window is measured again in which others used the machine. */
  readonly retries: number;
  /** Whether client and server were kept on different cores; HTTP never is. */
  readonly pinned: boolean;
}

/** `tcp/get/100B/256`: transport, workload, size of a value, callers; then `/separate` if so. */
export function cellId({ transport, workload, valueBytes, callers, processes }: Cell): string {
  const id = `${transport}/${workload}/${sizeName(valueBytes)}/${callers}`;
  return processes === 'shared' ? id : `${id}/separate`;
}

/** `100B`, `16KB`, `1MB`. */
export function sizeName(bytes: number): string {
  if (bytes >= 1_048_576) return `${bytes / 1_048_576}MB`;
  return bytes >= 1_024 ? `${bytes / 1_024}KB` : `${bytes}B`;
}
