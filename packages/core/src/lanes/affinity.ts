import type { Lane } from './lane.js';

/**
 * The lane of one caller (a pool handle or a scope) when there are several lanes: it stays the same while any
 * command of the caller is unanswered, so that the server sees them in the order of the calls.
 */
export class Affinity {
  lane: Lane | undefined = undefined;
  unanswered = 0;
}
