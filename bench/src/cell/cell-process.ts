import { serveParent } from '../child/serve-parent.js';
import type { PeerId, Target } from '../peers/peer.js';
import type { PeerMeasurement } from './cell-result.js';
import type { Cell } from './cell-spec.js';
import { Contestant } from './contestant.js';
import { createDataset, fill } from './dataset.js';
import { ExecutionCheck } from './execution-check.js';

/** What the parent lets this process do, step by step; all but `open` and `close` for one of its peers. */
export type CellOrder =
  | { readonly step: 'fill'; readonly cell: Cell; readonly target: Target }
  | { readonly step: 'open'; readonly cell: Cell; readonly target: Target; readonly peer: PeerId }
  | { readonly step: 'warm-up'; readonly peer: PeerId; readonly windowMs: number }
  | {
      readonly step: 'window';
      readonly peer: PeerId;
      readonly windowMs: number;
      readonly serverPid: number;
      readonly retries: number;
    }
  | { readonly step: 'allocation' | 'close'; readonly peer: PeerId };

/** After `close` what was measured, before it nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: what the steps without a result return
export type CellReply = PeerMeasurement | void;

const contestants = new Map<PeerId, Contestant>();
let check: ExecutionCheck | undefined;

serveParent<CellOrder, CellReply>(async (order) => {
  switch (order.step) {
    case 'fill':
      return fill(order.target, createDataset(order.cell.valueBytes, order.cell.workload));
    case 'open':
      check ??= await ExecutionCheck.open(order.target);
      contestants.set(order.peer, await Contestant.open(order.peer, order.target, order.cell));
      return undefined;
    case 'warm-up':
      return contestant(order.peer).warmUp(order.windowMs);
    case 'window':
      return measureWindow(order);
    case 'allocation':
      return contestant(order.peer).measureAllocation();
    case 'close':
      await contestant(order.peer).close();
      return contestant(order.peer).measurement;
  }
});

function measureWindow(order: Extract<CellOrder, { step: 'window' }>): Promise<void> {
  const { peer, windowMs, serverPid, retries } = order;
  const patience = { pids: [process.pid, serverPid], retries };
  return contestant(peer).measureWindow(windowMs, check as ExecutionCheck, patience);
}

function contestant(id: PeerId): Contestant {
  const found = contestants.get(id);
  if (found === undefined) throw new Error(`${id} is not open in this process`);
  return found;
}
