import type { RedisPoolError, RedisPoolErrorCode, RedisPoolErrorOptions } from '../errors/errors.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { SubscriberHost } from '../subscriber/subscriber.js';
import type { Connection } from '../transport/connection.js';
import type { ClusterNode } from './cluster-node.js';

/** What subscriptions need of their cluster. */
export interface SubscribingCluster {
  readonly options: ResolvedOptions;
  /** The node of a slot; waits for the first word of the cluster. */
  owner(slot: number, limitMs: number, signal: AbortSignal | undefined): Promise<ClusterNode>;
  readonly members: { readonly masters: readonly ClusterNode[] };
  reserve(): boolean;
  freePlace(): void;
  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError;
}

/** Where the subscriptions of a cluster have their connection: at any node, since messages reach all of them. */
export class ClusterSubscriberHost implements SubscriberHost {
  readonly #cluster: SubscribingCluster;
  #open: { readonly node: ClusterNode; readonly connection: Connection } | undefined;

  constructor(cluster: SubscribingCluster) {
    this.#cluster = cluster;
  }

  get options(): ResolvedOptions {
    return this.#cluster.options;
  }

  async open(signal: AbortSignal): Promise<Connection> {
    await this.#cluster.owner(0, this.options.connectTimeoutMs, signal);
    const { masters } = this.#cluster.members;
    const up = masters.filter(({ engine }) => engine.isUp);
    const choice = up.length > 0 ? up : masters;
    const node = choice[Math.floor(Math.random() * choice.length)] as ClusterNode;
    const connection = await node.engine.open(signal);
    this.#open = { node, connection };
    return connection;
  }

  /** To be called when the nodes may have changed: what a node hears that has left is nothing any more. */
  follow(): void {
    if (this.#open?.node.left.aborted)
      this.#open.connection.destroy(new Error('The node has left the cluster'));
  }

  reserve(): boolean {
    return this.#cluster.reserve();
  }

  free(): void {
    this.#open = undefined;
    this.#cluster.freePlace();
  }

  error(code: RedisPoolErrorCode, reason: string, details?: RedisPoolErrorOptions): RedisPoolError {
    return this.#cluster.error(code, reason, details);
  }
}
