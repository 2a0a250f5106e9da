import type { VariantId } from '../http/variant.js';
import type { PeerId } from '../peers/peer.js';
import type { Results } from '../results/results-file.js';
import { type Comparison, comparePeer, compareVariant } from './compare.js';
import { PEER_NAMES, VARIANT_NAMES } from './names.js';

/** What the pool is meant to reach, and what it reached. */
export interface Goal {
  readonly text: string;
  /** A ratio of ours to theirs. */
  readonly bound: { readonly kind: 'at least' | 'at most'; readonly ratio: number };
  /** `undefined` when it was not measured. */
  readonly measured: Comparison | undefined;
}

export type Verdict = 'met' | 'MISSED' | 'unsteady' | 'not measured';

export function verdict({ bound, measured }: Goal): Verdict {
  if (measured === undefined) return 'not measured';
  if (!measured.steady) return 'unsteady';
  const { ratio } = measured;
  return (bound.kind === 'at least' ? ratio >= bound.ratio : ratio <= bound.ratio) ? 'met' : 'MISSED';
}

export function evaluateGoals(results: Results): Goal[] {
  return [
    throughput(results, { callers: 256, peer: 'ioredis-autopipelining', ratio: 3 }),
    throughput(results, { callers: 256, peer: 'ioredis', ratio: 5 }),
    throughput(results, { callers: 256, peer: 'node-redis', ratio: 7 }),
    throughput(results, { callers: 256, peer: 'bare-socket', ratio: 0.75 }),
    latencyOfOneCaller(results),
    throughput(results, { callers: 4, peer: 'ioredis', ratio: 1 }),
    throughput(results, { callers: 8, peer: 'ioredis', ratio: 1 }),
    slowestCell(results),
    requests(results, { commands: 10, variant: 'fastify-redis', ratio: 3 }),
    requests(results, { commands: 10, variant: 'ioredis-autopipelining', ratio: 2 }),
    requests(results, { commands: 1, variant: 'fastify-redis', ratio: 1.4 }),
    requests(results, { commands: 1, variant: 'no-redis', ratio: 0.9 }),
    requests(results, { commands: 1, variant: 'connection-per-request', ratio: 20 }),
    requests(results, { commands: 10, variant: 'connection-per-request', ratio: 100 }),
    requests(results, { commands: 10, variant: 'connection-per-command', ratio: 100 }),
  ];
}

function throughput(
  { cells }: Results,
  { callers, peer, ratio }: { callers: number; peer: PeerId; ratio: number },
): Goal {
  return {
    text: `GET 100 B, ${callers} callers: operations/s, to ${PEER_NAMES[peer]}`,
    bound: { kind: 'at least', ratio },
    measured: comparePeer(cells[`tcp/get/100B/${callers}`], peer),
  };
}

function latencyOfOneCaller({ cells }: Results): Goal {
  return {
    text: 'GET 100 B, 1 caller: median latency, to ioredis',
    bound: { kind: 'at most', ratio: 1.05 },
    measured: comparePeer(cells['tcp/get/100B/1'], 'ioredis', 'p50Us'),
  };
}

function slowestCell({ cells }: Results): Goal {
  const steady = Object.entries(cells).flatMap(([id, cell]) => {
    const comparison = comparePeer(cell, 'ioredis');
    return comparison?.steady ? [{ id, comparison }] : [];
  });
  const slowest = steady.sort((a, b) => a.comparison.ratio - b.comparison.ratio)[0];
  const where = slowest === undefined ? '' : ` (${slowest.id}, of ${steady.length} steady ones)`;
  return {
    text: `Every size and command: operations/s where it is worst${where}, to ioredis`,
    bound: { kind: 'at least', ratio: 0.95 },
    measured: slowest?.comparison,
  };
}

function requests(
  { http }: Results,
  { commands, variant, ratio }: { commands: number; variant: VariantId; ratio: number },
): Goal {
  return {
    text: `Fastify, ${commands} ${commands === 1 ? 'command' : 'commands'} a request: requests/s, to ${VARIANT_NAMES[variant]}`,
    bound: { kind: 'at least', ratio },
    measured: compareVariant(http[`http/${commands}`], variant),
  };
}
