import type { Affinity } from './affinity.js';
import { Lane, type LaneHost } from './lane.js';

/** The lanes of an engine. */
export class Lanes {
  readonly all: readonly Lane[];

  constructor(count: number, host: LaneHost) {
    this.all = Array.from({ length: count }, (_, index) => new Lane(index, host));
  }

  get isUp(): boolean {
    return this.all.some((lane) => lane.isUp);
  }

  get isRetiring(): boolean {
    return this.all.some((lane) => lane.isRetiring);
  }

  /** `undefined`: it has to wait. Commands of one caller go by one lane while any of them is unanswered (law 9). */
  pick(affinity: Affinity | undefined): Lane | undefined {
    if (affinity === undefined) return this.#leastBusy();
    if (affinity.unanswered <= 1 || !affinity.lane?.isUp) {
      // Its earlier commands come first.
      if (affinity.unanswered > 1 && affinity.lane?.isRetiring) return undefined;
      affinity.lane = this.#leastBusy();
    }
    return affinity.lane;
  }

  /** Calls back when everything that is in flight now is answered or lost; at once when nothing is. */
  afterInFlight(done: () => void): void {
    let left = this.all.length;
    for (const lane of this.all) {
      lane.afterInFlight(() => {
        left -= 1;
        if (left === 0) done();
      });
    }
  }

  /** Nothing more goes by the connections that are up; they end when everything is answered. */
  retireAll(reason: string): void {
    for (const lane of this.all) lane.retire(undefined, new Error(reason));
  }

  #leastBusy(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.all) {
      if (lane.isUp && (best === undefined || lane.inFlight < best.inFlight)) best = lane;
    }
    return best;
  }
}
