import type { Random } from '@redis-pool/testkit';
import type { Arena } from '../arena/arena.js';

/** Where a fault acts. Faults of different layers may overlap. */
type Layer = 'server' | 'network' | 'process';

/** What a fault may use. */
interface FaultScene {
  readonly arena: Arena;
  /** How long it lasts. */
  readonly ms: number;
  /** Seeded by the plan. */
  readonly random: Random;
}

/** Ends a fault; resolves when nothing is in the way of a recovery any more. */
export type EndFault = () => Promise<void>;

/** One thing that can go wrong. */
export interface FaultKind {
  readonly name: string;
  readonly layer: Layer;
  /** Shortest and longest time it lasts, ms. */
  readonly ms: readonly [least: number, most: number];
  /** The pool has to recover while it lasts: nothing ends it but the pool itself. */
  readonly recoversDuring?: true;
  /** Connections live on and answer: a cancelled wait has no excuse for a lost element. */
  readonly keepsConnections?: true;
  readonly start: (scene: FaultScene) => Promise<EndFault>;
}

export const endsByItself: EndFault = async () => {};
