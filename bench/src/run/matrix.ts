import { type Cell, type Transport, WORKLOADS, type Workload } from '../cell/cell-spec.js';
import { COMMAND_COUNTS, type CommandCount } from '../http/app.js';
import { VARIANT_IDS, type VariantId } from '../http/variant.js';
import { PEER_IDS, type PeerId } from '../peers/peer.js';
import type { Job } from './job.js';
import { cellJob, httpJob, idleJob, memoryJob } from './jobs.js';

const CALLERS = [1, 4, 8, 32, 256, 1_024] as const;
/** More callers of 1 MB would measure the memory of the machine. */
const CALLERS_OF_1_MB = [1, 4, 8] as const;
const SMALL = 100;
const KIB = 1_024;
const MIB = 1_048_576;

/** The peers that are measured over TLS and unix sockets too. */
const TRANSPORT_PEERS = ['redis-pool', 'ioredis', 'ioredis-autopipelining', 'node-redis'] as const;
const QUICK_PEERS = ['redis-pool', 'ioredis', 'ioredis-autopipelining', 'node-redis', 'bare-socket'] as const;
const QUICK_VARIANTS: readonly VariantId[] = [
  'no-redis',
  'redis-pool',
  'redis-pool-request',
  'fastify-redis',
  'ioredis-autopipelining',
  'connection-per-request',
  'connection-per-command',
];

/** Everything there is to measure; the figures of the goals first. */
export function fullMatrix(): Job[] {
  const sized = (['get', 'set'] as const).flatMap((workload) => [
    ...[SMALL, KIB, 16 * KIB].flatMap((valueBytes) =>
      CALLERS.map((callers) => cell({ workload, valueBytes, callers })),
    ),
    ...CALLERS_OF_1_MB.map((callers) => cell({ workload, valueBytes: MIB, callers })),
  ]);
  const structured = WORKLOADS.filter((workload) => workload !== 'get' && workload !== 'set').flatMap(
    (workload) => CALLERS.map((callers) => cell({ workload, callers })),
  );
  const transports = (['unix', 'tls'] as const).map((transport) =>
    cell({ transport, callers: 64, peers: TRANSPORT_PEERS }),
  );
  const separate = cell({ callers: 256, processes: 'separate' });
  const http = COMMAND_COUNTS.map((count) => httpJob(count, variantsFor(count, VARIANT_IDS)));
  return [...[...sized, ...structured, ...transports, separate].map(cellJob), ...http, memoryJob, idleJob];
}

/** What tells most in under 90 seconds; for working on the pool, not for publishing. */
export function quickMatrix(): Job[] {
  const peers = QUICK_PEERS;
  const gets = [1, 4, 8, 32, 256].map((callers) => cell({ callers, peers }));
  const others = (['set', 'mget', 'hgetall'] as const).map((workload) =>
    cell({ workload, callers: 32, peers }),
  );
  const large = cell({ valueBytes: 16 * KIB, callers: 32, peers });
  const http = COMMAND_COUNTS.map((count) => httpJob(count, variantsFor(count, QUICK_VARIANTS)));
  return [...[...gets, ...others, large].map(cellJob), ...http, memoryJob];
}

/** With one command a connection per command is one per request. */
function variantsFor(commands: CommandCount, variants: readonly VariantId[]): VariantId[] {
  return variants.filter((id) => commands > 1 || id !== 'connection-per-command');
}

interface CellChoice {
  readonly callers: number;
  readonly workload?: Workload;
  readonly valueBytes?: number;
  readonly transport?: Transport;
  readonly peers?: readonly PeerId[];
  readonly processes?: Cell['processes'];
}

function cell(choice: CellChoice): Cell {
  return {
    ...{ workload: 'get', valueBytes: SMALL, transport: 'tcp', peers: PEER_IDS, processes: 'shared' },
    ...choice,
  };
}
