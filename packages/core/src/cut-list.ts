import type { Place } from './errors/place.js';

/** What the end of a pool cut, by name. */
export interface Cut {
  /** How many of each command: `{ GET: 2 }`. */
  readonly commands: Readonly<Record<string, number>>;
  /** Where each lease that was still held had been acquired. */
  readonly leases: readonly string[];
}

/** What the end of an engine leaves without an answer. */
export class CutList {
  readonly #commands = new Map<string, number>();
  readonly #leases: string[] = [];

  get commands(): number {
    let sum = 0;
    for (const count of this.#commands.values()) sum += count;
    return sum;
  }

  get leases(): number {
    return this.#leases.length;
  }

  addCommand(name: string): void {
    this.#commands.set(name, (this.#commands.get(name) ?? 0) + 1);
  }

  addLease(acquiredAt: Place | undefined): void {
    this.#leases.push(`${acquiredAt ?? 'at an unknown place'}`.trim());
  }

  /** For the report. */
  list(): Cut {
    return { commands: Object.fromEntries(this.#commands), leases: [...this.#leases] };
  }
}
