import type { PeerId } from '../peers/peer.js';
import type { Cell, Timing } from './cell-spec.js';

/** One peer in one cell. The lists have one entry a round; entries of one round belong together. */
export interface PeerMeasurement {
  readonly opsPerSecond: readonly number[];
  readonly p50Us: readonly number[];
  readonly p99Us: readonly number[];
  readonly cpuUsPerOp: readonly number[];
  /** On V8's heap, of one more window. */
  readonly allocatedBytesPerOp: number;
}

type ByPeer<T> = Readonly<Partial<Record<PeerId, T>>>;

export interface CellResult {
  readonly cell: Cell;
  readonly timing: Timing;
  readonly peers: ByPeer<PeerMeasurement>;
  /** Peers that could not be measured, with the reason. */
  readonly failures: ByPeer<string>;
}
