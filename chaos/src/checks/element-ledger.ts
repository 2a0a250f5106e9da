import type { End } from './end-of-call.js';
import type { Finding } from './write-ledger.js';

/** Where the server has the elements that nobody was given. */
export interface ElementsLeft {
  /** In the lists to pop from. */
  readonly waiting: readonly number[];
  /** In the list that BLMOVE moves to. */
  readonly moved: readonly number[];
}

/**
 * The elements of some lists: pushed, popped, moved. In the end each is in exactly one place, unless a wait lost its
 * connection (law 7).
 */
export class ElementLedger {
  readonly #pushed = new Map<number, End>();
  readonly #popped = new Map<number, number>();
  readonly #moved = new Set<number>();
  #excused = 0;

  pushed(element: number, end: End): void {
    this.#pushed.set(element, end);
  }

  popped(element: number): void {
    this.#popped.set(element, (this.#popped.get(element) ?? 0) + 1);
  }

  moved(element: number): void {
    this.#moved.add(element);
  }

  /** A wait ended without its caller being able to know what it did: it may have taken so many. */
  excuse(elements: number): void {
    this.#excused += elements;
  }

  account({ waiting, moved }: ElementsLeft): Finding[] {
    const places = this.#places(waiting, moved);
    const findings: string[] = [];
    let missing = 0;
    for (const [element, end] of this.#pushed) {
      const count = places.get(element) ?? 0;
      if (end === 'never' && count > 0) findings.push(`element ${element} was never pushed, and is there`);
      if (count > 1) findings.push(`element ${element} is in ${count} places`);
      if (end === 'acknowledged' && count === 0) missing += 1;
    }
    const atTarget = new Set(moved);
    for (const element of this.#moved) {
      if (!atTarget.has(element)) findings.push(`element ${element} was moved, and is not there`);
    }
    for (const element of places.keys()) {
      if (!this.#pushed.has(element)) findings.push(`element ${element} came from nowhere`);
    }
    if (missing > this.#excused)
      findings.push(`${missing} elements are gone, and only ${this.#excused} waits lost their connection`);
    return findings.map((what) => ({ invariant: 'lostElements', what }));
  }

  #places(waiting: readonly number[], moved: readonly number[]): Map<number, number> {
    const places = new Map(this.#popped);
    for (const element of [...waiting, ...moved]) places.set(element, (places.get(element) ?? 0) + 1);
    return places;
  }
}
