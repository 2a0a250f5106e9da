import type { Lane } from './lane.js';

/**
 * The lane of one caller (a pool handle or a scope) when there are several lanes: it stays the same while any
 * command of the caller is unanswered, so that the server sees them in the order of the calls.
 */
export class Affinity {
  lane: Lane | undefined = undefined;
  unanswered = 0;
  /** On a cluster the caller has a lane at each node; those of nodes that are gone keep nothing alive. */
  readonly #parts: WeakMap<object, Affinity>;

  constructor(parts = new WeakMap<object, Affinity>()) {
    this.#parts = parts;
  }

  /** The same caller's at a node. */
  at(node: object): Affinity {
    const part = this.#parts.get(node) ?? new Affinity(this.#parts);
    this.#parts.set(node, part);
    return part;
  }
}
