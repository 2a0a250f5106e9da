import { SLOT_COUNT } from './key-slot.js';
import type { NodeAddress } from './redirection.js';

/** Who serves which slot, as one node saw it. Addresses are `host:port`, as they are to be connected to. */
export interface Topology {
  /** The master of each slot; `undefined` where none is. */
  readonly owners: readonly (string | undefined)[];
  /** Each master that has slots, with its replicas. */
  readonly shards: ReadonlyMap<string, readonly string[]>;
}

/**
 * Says where a node is to be connected to, given what the cluster calls it.
 *
 * @throws RedisPoolError `RP_ERR_INVALID_OPTION` when the option that says it is of no use
 */
export type Translate = (address: NodeAddress) => NodeAddress;

/**
 * Reads the reply to CLUSTER SLOTS: `[from, to, [host, port, ...], ...replicas]` for each range. `undefined` when it
 * names no slot at all, as that of a node that has not joined yet.
 *
 * @param asked - The host that was asked: a node that does not know its own leaves it empty.
 */
export function parseTopology(reply: unknown, asked: string, translate: Translate): Topology | undefined {
  const owners: (string | undefined)[] = Array(SLOT_COUNT).fill(undefined);
  const shards = new Map<string, readonly string[]>();
  for (const range of Array.isArray(reply) ? reply : []) {
    const [from, to, ...nodes] = Array.isArray(range) ? range : [];
    const [master, ...replicas] = nodes.flatMap((node) => addressOf(node, asked, translate) ?? []);
    if (master === undefined) continue;
    shards.set(master, replicas);
    owners.fill(master, Number(from), Number(to) + 1);
  }
  return shards.size === 0 ? undefined : { owners, shards };
}

/** How a node is called here. */
export function nameOfNode({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/** The host may be an IPv6 address. */
export function addressOfName(name: string): NodeAddress {
  const colon = name.lastIndexOf(':');
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}

function addressOf(node: unknown, asked: string, translate: Translate): string | undefined {
  const [host, port] = Array.isArray(node) ? node : [];
  const text = host === null || host === undefined ? '' : String(host);
  // `?`: it has a host name to announce and none is set.
  if (text === '?' || !Number.isInteger(Number(port)) || Number(port) < 1) return undefined;
  return nameOfNode(translate({ host: text === '' ? asked : text, port: Number(port) }));
}
