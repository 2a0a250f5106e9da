import { ProcessGroup } from '../child/process-group.js';
import type { IdleCost, IdleOrder } from '../memory/idle-process.js';
import { PEER_IDS, type PeerId } from '../peers/peer.js';
import type { RunContext } from './run-context.js';

const MODULE = new URL('../memory/idle-process.js', import.meta.url);
const DURATION_MS = 1_000;

export interface IdleResult {
  readonly peers: Readonly<Partial<Record<PeerId, IdleCost>>>;
}

/** Whether a peer that waits for its turn takes CPU time from the others. */
export async function runIdle({ server, progress }: RunContext): Promise<IdleResult> {
  const peers: Partial<Record<PeerId, IdleCost>> = {};
  for (const peer of PEER_IDS) {
    progress(`idle: ${peer}`);
    await using processes = new ProcessGroup();
    const child = processes.start<IdleOrder, IdleCost>(MODULE);
    peers[peer] = await child.ask({ peer, target: server.target('tcp'), durationMs: DURATION_MS });
  }
  return { peers };
}
