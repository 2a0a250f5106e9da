import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { serveParent } from '../child/serve-parent.js';
import { peer } from '../peers/index.js';
import type { PeerId, Target } from '../peers/peer.js';

export interface IdleOrder {
  readonly peer: PeerId;
  readonly target: Target;
  readonly durationMs: number;
}

/** What a connected client costs that is not used. */
export interface IdleCost {
  /** CPU milliseconds for each second. */
  readonly cpuMsPerSecond: number;
  /** Threads that it added to the process; 0 where /proc is missing. */
  readonly threads: number;
}

serveParent<IdleOrder, IdleCost>(async ({ peer: id, target, durationMs }) => {
  const threadsBefore = threadCount();
  const client = await peer(id).connect(target);
  await client.get('bench:string:100:0');
  await setTimeout(200);
  const cpu = process.cpuUsage();
  await setTimeout(durationMs);
  const { user, system } = process.cpuUsage(cpu);
  const threads = threadCount() - threadsBefore;
  await client.close();
  return { cpuMsPerSecond: Math.round(((user + system) / durationMs) * 10) / 10, threads };
});

function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}
