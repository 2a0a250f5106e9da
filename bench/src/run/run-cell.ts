import type { CellOrder, CellReply } from '../cell/cell-process.js';
import type { CellResult, PeerMeasurement } from '../cell/cell-result.js';
import { type Cell, cellId } from '../cell/cell-spec.js';
import { turnOrder } from '../cell/turn-order.js';
import type { BenchProcess } from '../child/bench-process.js';
import { ProcessGroup } from '../child/process-group.js';
import { pinApart, unpin } from '../machine/pin.js';
import type { PeerId } from '../peers/peer.js';
import { PatienceBudget } from './patience-budget.js';
import type { RunContext } from './run-context.js';

const MODULE = new URL('../cell/cell-process.js', import.meta.url);

type CellProcess = BenchProcess<CellOrder, CellReply>;

/** Measures all peers of a cell in alternating windows. */
export async function runCell(cell: Cell, context: RunContext): Promise<CellResult> {
  await using processes = new ProcessGroup();
  const start = (): CellProcess => processes.start<CellOrder, CellReply>(MODULE);
  const shared = start();
  const target = context.server.target(cell.transport);
  await shared.ask({ step: 'fill', cell, target });
  const hosts = new Map<PeerId, CellProcess>();
  const failures: Partial<Record<PeerId, string>> = {};
  for (const peer of cell.peers) {
    const host = cell.processes === 'shared' ? shared : start();
    try {
      await host.ask({ step: 'open', cell, target, peer });
      hosts.set(peer, host);
    } catch (error) {
      failures[peer] = String(error).split('\n')[0] ?? '';
    }
  }
  const peers = await pinnedIfAsked(hosts, context, () => measure(cell, hosts, context));
  return { cell, timing: context.timing, peers, failures };
}

/** Pins when all threads are there, and not longer than the cell. */
async function pinnedIfAsked<T>(
  hosts: ReadonlyMap<PeerId, CellProcess>,
  { server, timing }: RunContext,
  work: () => Promise<T>,
): Promise<T> {
  if (!timing.pinned) return work();
  for (const host of new Set(hosts.values())) await pinApart({ client: host.pid, server: server.pid });
  try {
    return await work();
  } finally {
    await unpin(server.pid);
  }
}

async function measure(
  cell: Cell,
  hosts: ReadonlyMap<PeerId, CellProcess>,
  { server, timing, progress }: RunContext,
) {
  const { windowMs, rounds } = timing;
  const all = [...hosts];
  const patience = new PatienceBudget(timing, all.length * (rounds + 1) * windowMs);
  for (const [peer, host] of all) {
    progress(`${cellId(cell)}: warm-up of ${peer}`);
    await host.ask({ step: 'warm-up', peer, windowMs });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [peer, host] of turnOrder(all, round)) {
      progress(`${cellId(cell)}: round ${round + 1} of ${rounds}, ${peer}`);
      await host.ask({ step: 'window', peer, windowMs, serverPid: server.pid, retries: patience.retries() });
    }
  }
  const peers: Partial<Record<PeerId, PeerMeasurement>> = {};
  for (const [peer, host] of all) {
    await host.ask({ step: 'allocation', peer });
    const measurement = await host.ask({ step: 'close', peer });
    if (measurement !== undefined) peers[peer] = measurement;
  }
  return peers;
}
