import { type Patience, quietest } from '../machine/quietest.js';
import { peer } from '../peers/index.js';
import type { PeerClient, PeerId, Target } from '../peers/peer.js';
import { allocatedBytes } from './allocation.js';
import type { PeerMeasurement } from './cell-result.js';
import type { Cell } from './cell-spec.js';
import { runWindow, type Window } from './closed-loop.js';
import { createDataset, type Dataset } from './dataset.js';
import type { ExecutionCheck } from './execution-check.js';
import { verify } from './verify.js';
import { createOperation, type Operation } from './workload.js';

/** Compiles a peer's code before it is measured, also in cells whose callers alone would take seconds for it. */
const WARM_UP_CALLERS = 32;
/** Allocation varies little; no need for a long window. */
const ALLOCATION_WINDOW_MS = 100;

/** One peer in one cell: its open client and what was measured of it so far. */
export class Contestant {
  readonly id: PeerId;
  readonly #client: PeerClient;
  readonly #cell: Cell;
  readonly #operation: Operation;
  readonly #windows: Window[] = [];
  #allocatedBytesPerOp = 0;

  private constructor(id: PeerId, client: PeerClient, cell: Cell, dataset: Dataset) {
    this.id = id;
    this.#client = client;
    this.#cell = cell;
    this.#operation = createOperation(client, cell.workload, dataset);
  }

  /** Connects the peer. @throws when it cannot, or when it answers something else than what is stored */
  static async open(id: PeerId, target: Target, cell: Cell): Promise<Contestant> {
    const dataset = createDataset(cell.valueBytes, cell.workload);
    const client = await peer(id).connect(target);
    await verify(id, client, dataset);
    return new Contestant(id, client, cell, dataset);
  }

  async warmUp(windowMs: number): Promise<void> {
    const callers = Math.max(this.#cell.callers, this.#cell.valueBytes > 65_536 ? 1 : WARM_UP_CALLERS);
    await runWindow(this.#operation, callers, windowMs);
  }

  async measureWindow(windowMs: number, check: ExecutionCheck, patience: Patience): Promise<void> {
    const measure = () => {
      // The garbage of the peer before is not this one's.
      gc?.();
      return check.around(() => runWindow(this.#operation, this.#cell.callers, windowMs));
    };
    this.#windows.push(await quietest(measure, patience));
  }

  async measureAllocation(): Promise<void> {
    gc?.();
    let operations = 0;
    const bytes = await allocatedBytes(async () => {
      ({ operations } = await runWindow(this.#operation, this.#cell.callers, ALLOCATION_WINDOW_MS));
    });
    this.#allocatedBytesPerOp = Math.round(bytes / operations);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  get measurement(): PeerMeasurement {
    const windows = this.#windows;
    return {
      opsPerSecond: windows.map(({ operations, seconds }) => Math.round(operations / seconds)),
      p50Us: windows.map(({ p50Us }) => rounded(p50Us)),
      p99Us: windows.map(({ p99Us }) => rounded(p99Us)),
      cpuUsPerOp: windows.map(({ cpuUs, operations }) => rounded(cpuUs / operations)),
      allocatedBytesPerOp: this.#allocatedBytesPerOp,
    };
  }
}

/** To a hundredth: more would be noise in a file that is kept in git. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
