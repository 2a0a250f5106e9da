import { PoolCommand } from '../commands/command.js';
import { profileOf } from '../commands/routing.js';
import type { Engine } from '../engine.js';
import { withSecrets } from '../options/frozen-copy.js';
import type { PoolHooks } from '../options/options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import { socketLookup } from './dns-lookup.js';
import type { NodeAddress } from './redirection.js';
import { nameOfNode } from './topology.js';

export type NodeRole = 'master' | 'replica';

const ASKING = profileOf('asking');

/** One node of a cluster, with an engine of its own: connections, leases, and the commands that wait for them. */
export class ClusterNode {
  readonly address: NodeAddress;
  readonly name: string;
  readonly role: NodeRole;
  readonly engine: Engine;
  readonly #left = new AbortController();

  constructor(address: NodeAddress, role: NodeRole, make: (role: NodeRole) => Engine) {
    this.address = address;
    this.name = nameOfNode(address);
    this.role = role;
    this.engine = make(role);
  }

  /** Aborted when the cluster does not send commands to this node any more. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  leave(): void {
    this.#left.abort();
  }

  /** Takes a command that was accepted. */
  take(command: PoolCommand): void {
    this.#changeAffinity(command);
    this.engine.router.adopt(command);
  }

  /** Sends commands that belong to a slot which is on its way here. `false`: it cannot at the moment. */
  takeAsking(commands: readonly PoolCommand[]): boolean {
    for (const command of commands) this.#changeAffinity(command);
    return this.engine.router.adoptBehind(new PoolCommand('asking', ASKING, [], 16, 'utf8'), commands);
  }

  /** Each caller has a lane of its own at each node. */
  #changeAffinity(command: PoolCommand): void {
    const before = command.affinity;
    if (before === undefined) return;
    before.unanswered -= 1;
    command.affinity = before.at(this);
    command.affinity.unanswered += 1;
  }
}

/** The options of a cluster for the connections to one of its nodes. */
export function optionsOfNode(
  options: ResolvedOptions,
  { host, port }: NodeAddress,
  role: NodeRole,
): ResolvedOptions {
  const { family, dnsLookup } = nodeSettings(options);
  const lookup = dnsLookup === undefined ? {} : { lookup: socketLookup(dnsLookup) };
  const endpoint = Object.freeze({ kind: 'tcp' as const, host, port, family, ...lookup });
  const hooks = role === 'replica' ? readingFromReplica(options.hooks) : options.hooks;
  return withSecrets({ ...options, endpoint, hooks }, { tls: options.tls });
}

function nodeSettings({ endpoint }: ResolvedOptions) {
  if (endpoint.kind !== 'cluster') throw new Error('These are not the options of a cluster');
  return { family: endpoint.family, dnsLookup: endpoint.options.dnsLookup };
}

/** A replica answers with MOVED unless it is told that its data may be old. */
function readingFromReplica(hooks: PoolHooks): PoolHooks {
  return {
    ...hooks,
    connect: async (connection) => {
      await connection.call('READONLY');
      await hooks.connect?.(connection);
    },
  };
}
