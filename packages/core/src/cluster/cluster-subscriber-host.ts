import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { SubscribeKind } from '../subscriber/subscribe-request.js';
import type { SubscriberHost } from '../subscriber/subscriber.js';
import type { Connection } from '../transport/connection.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { slotOfKey } from './key-slot.js';
import type { SlotOwners } from './slot-owners.js';

/** What subscriptions need of their cluster. */
export interface SubscribingCluster {
  readonly options: ResolvedOptions;
  readonly nodes: ClusterNodes;
  readonly members: { readonly masters: readonly ClusterNode[] };
  readonly commands: { readonly router: { ownerOf(slot: number): ClusterNode | undefined } };
  readonly owners: SlotOwners;
  reserve(): boolean;
  free(): void;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
}

/** Of channels whose messages reach all nodes. */
const ANYWHERE = '';

/**
 * Where the subscriptions of a cluster have their connections: those to shard channels at the node of their slot, all
 * others at any one node.
 */
export class ClusterSubscriberHost implements SubscriberHost {
  readonly #cluster: SubscribingCluster;
  #anywhere: { readonly node: ClusterNode; readonly connection: Connection } | undefined;

  constructor(cluster: SubscribingCluster) {
    this.#cluster = cluster;
  }

  get options(): ResolvedOptions {
    return this.#cluster.options;
  }

  homeOf(kind: SubscribeKind, name: string): string {
    if (kind !== 'ssubscribe') return ANYWHERE;
    return this.#cluster.commands.router.ownerOf(slotOfKey(name))?.name ?? ANYWHERE;
  }

  async open(signal: AbortSignal, home: string): Promise<Connection> {
    await this.#cluster.owners.owner(0, this.options.connectTimeoutMs, signal);
    const { masters } = this.#cluster.members;
    const node = this.#cluster.nodes.find(home, 'master') ?? anyOf(masters);
    const connection = await node.engine.open(signal);
    if (home === ANYWHERE) this.#anywhere = { node, connection };
    return connection;
  }

  /** To be called when the nodes may have changed: what a node hears that has left is nothing any more. */
  follow(): void {
    if (this.#anywhere?.node.left.aborted) {
      this.#anywhere.connection.destroy(new Error('The node has left the cluster'));
      this.#anywhere = undefined;
    }
  }

  isElsewhere(error: Error): boolean {
    return this.#cluster.owners.isElsewhere(error);
  }

  reserve(): boolean {
    return this.#cluster.reserve();
  }

  free(): void {
    this.#cluster.free();
  }

  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError {
    return this.#cluster.error(code, reason, details);
  }
}

/** One that is connected, if there is one. */
function anyOf(nodes: readonly ClusterNode[]): ClusterNode {
  const up = nodes.filter(({ engine }) => engine.isUp);
  const choice = up.length > 0 ? up : nodes;
  return choice[Math.floor(Math.random() * choice.length)] as ClusterNode;
}
