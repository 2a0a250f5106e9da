import type { CellResult, PeerMeasurement } from '../cell/cell-result.js';
import type { HttpResult } from '../http/http-result.js';
import type { VariantId } from '../http/variant.js';
import type { PeerId } from '../peers/peer.js';
import { medianRatio } from '../results/median.js';

/** Rounds of one series that are further apart than this were measured under different conditions. */
const STEADY_WITHIN = 2;

/** The pool beside somebody else. */
export interface Comparison {
  /** The pool's value divided by the other's, median over the rounds. */
  readonly ratio: number;
  /** False when conditions changed between the rounds: then the ratio may say nothing about either. */
  readonly steady: boolean;
}

type PeerSeries = Exclude<keyof PeerMeasurement, 'allocatedBytesPerOp'>;

/** `undefined` when one of them was not measured. */
export function comparePeer(
  cell: CellResult | undefined,
  peer: PeerId,
  series: PeerSeries = 'opsPerSecond',
): Comparison | undefined {
  const ours = cell?.peers['redis-pool'];
  const theirs = cell?.peers[peer];
  if (ours === undefined || theirs === undefined) return undefined;
  return {
    ratio: medianRatio(ours[series], theirs[series]),
    steady: isSteady(ours) && isSteady(theirs),
  };
}

/** As {@link comparePeer}, for requests per second of an HTTP server. */
export function compareVariant(http: HttpResult | undefined, variant: VariantId): Comparison | undefined {
  const ours = http?.variants['redis-pool'];
  const theirs = http?.variants[variant];
  if (ours === undefined || theirs === undefined) return undefined;
  return {
    ratio: medianRatio(ours.requestsPerSecond, theirs.requestsPerSecond),
    steady: isNarrow(ours.requestsPerSecond) && isNarrow(theirs.requestsPerSecond),
  };
}

/** Whether the rounds of a peer are close enough to each other to be told in one figure. */
export function isSteady({ opsPerSecond, p50Us }: PeerMeasurement): boolean {
  return isNarrow(opsPerSecond) && isNarrow(p50Us);
}

function isNarrow(series: readonly number[]): boolean {
  return Math.max(...series) <= STEADY_WITHIN * Math.min(...series);
}
