import type { Lane } from './lane.js';

/**
 * The lane of one caller (a pool handle or a scope) when there are several lanes: it stays the same while any
 * command of the caller is unanswered, so that the server sees them in the order of the calls.
 */
export class Affinity {
  lane: Lane | undefined = undefined;
  unanswered = 0;
  /** On a cluster the caller has a lane at each node. */
  readonly #parts: Map<object, Affinity>;

  constructor(parts = new Map<object, Affinity>()) {
    this.#parts = parts;
  }

  /** The same caller's at a node. */
  at(node: object): Affinity {
    const part = this.#parts.get(node) ?? new Affinity(this.#parts);
    this.#parts.set(node, part);
    return part;
  }

  /** To be called with a node that is gone. */
  leave(node: object): void {
    this.#parts.delete(node);
  }
}
