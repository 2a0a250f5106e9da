import { createDataset, fill } from '../cell/dataset.js';
import { ProcessGroup } from '../child/process-group.js';
import {
  IN_FLIGHT_PEERS,
  type InFlightMemory,
  type InFlightOrder,
  type InFlightPeer,
} from '../memory/in-flight-process.js';
import type { RunContext } from './run-context.js';

const MODULE = new URL('../memory/in-flight-process.js', import.meta.url);
// Below what the pool lets in by default (maxPending.bytes).
const COMMANDS = 50_000;

export interface MemoryResult {
  readonly commands: number;
  readonly peers: Readonly<Partial<Record<InFlightPeer, InFlightMemory>>>;
}

/** Memory of commands in flight, one peer after the other, against a server that answers nothing meanwhile. */
export async function runMemory(context: RunContext): Promise<MemoryResult> {
  await fill(context.server.target('tcp'), createDataset(100, 'get'));
  const peers: Partial<Record<InFlightPeer, InFlightMemory>> = {};
  for (const peer of IN_FLIGHT_PEERS) {
    context.progress(`memory/in-flight: ${peer}`);
    const memory = await memoryInFlight(peer, context);
    if (memory !== undefined) peers[peer] = memory;
  }
  return { commands: COMMANDS, peers };
}

async function memoryInFlight(
  peer: InFlightPeer,
  { server }: RunContext,
): Promise<InFlightMemory | undefined> {
  await using processes = new ProcessGroup();
  const child = processes.start<InFlightOrder, InFlightMemory | undefined>(MODULE);
  await child.ask({ step: 'connect', peer, target: server.target('tcp'), commands: COMMANDS });
  server.freeze();
  try {
    return await child.ask({ step: 'send' });
  } finally {
    server.thaw();
    // Whoever lost one of them on the way would look good.
    await child.ask({ step: 'await-replies' });
  }
}
