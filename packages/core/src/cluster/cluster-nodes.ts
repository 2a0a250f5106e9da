import type { ClusterNode, NodeRole } from './cluster-node.js';
import type { NodeAddress } from './redirection.js';
import { addressOfName, nameOfNode } from './topology.js';

/** How long a node that has lost its slots may take to answer what it was sent. It may be gone without a word. */
const ANSWER_LIMIT_MS = 500;
const LOOK_MS = 25;

/** What the nodes need of their cluster. */
export interface NodesHost {
  make(address: NodeAddress, role: NodeRole): ClusterNode;
  /** How long leases on a node may go on that has left the cluster. */
  readonly leaseLimitMs: number;
  /** What they end with then. */
  goneError(node: ClusterNode): Error;
}

/** The nodes of a cluster that commands are sent to, made when they are needed and ended when they have left. */
export class ClusterNodes {
  readonly #host: NodesHost;
  readonly #nodes = { master: new Map<string, ClusterNode>(), replica: new Map<string, ClusterNode>() };
  readonly #leaving = new Map<ClusterNode, Promise<void>>();
  #isClosed = false;

  constructor(host: NodesHost) {
    this.#host = host;
  }

  get masters(): readonly ClusterNode[] {
    return [...this.#nodes.master.values()];
  }

  get replicas(): readonly ClusterNode[] {
    return [...this.#nodes.replica.values()];
  }

  /** With those that are on their way out. */
  get all(): readonly ClusterNode[] {
    return [...this.masters, ...this.replicas, ...this.#leaving.keys()];
  }

  find(name: string, role: NodeRole): ClusterNode | undefined {
    return this.#nodes[role].get(name);
  }

  need(address: NodeAddress, role: NodeRole): ClusterNode {
    const name = nameOfNode(address);
    const known = this.find(name, role);
    if (known !== undefined) return known;
    const node = this.#host.make(address, role);
    this.#nodes[role].set(name, node);
    return node;
  }

  needNamed(name: string, role: NodeRole): ClusterNode {
    return this.find(name, role) ?? this.need(addressOfName(name), role);
  }

  /** Ends all others. What waits in them has to be taken out before. */
  retain(role: NodeRole, names: ReadonlySet<string>): void {
    for (const [name, node] of this.#nodes[role]) {
      if (names.has(name)) continue;
      this.#nodes[role].delete(name);
      this.#leaving.set(
        node,
        this.#retire(node).finally(() => this.#leaving.delete(node)),
      );
    }
  }

  async shut(quitLimitMs: number, error: unknown): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.all.map(({ engine }) => engine.shut(quitLimitMs, error)));
    await Promise.all(this.#leaving.values());
  }

  async #retire(node: ClusterNode): Promise<void> {
    node.leave();
    const { engine } = node;
    let isAnswered = false;
    engine.router.lanes.afterInFlight(() => {
      isAnswered = true;
    });
    const { watch } = engine;
    await this.#until(() => isAnswered || watch.isSilent, ANSWER_LIMIT_MS);
    // Silent, and others are in its place: nothing comes from there any more, for leases either.
    const leaseLimitMs = watch.isSilent ? 0 : this.#host.leaseLimitMs;
    // What is not answered by now ends as with any lost connection; the slots must not wait for it.
    const lost = engine.lanes.flatMap(({ connection }) => connection ?? []);
    for (const connection of lost) connection.destroy(this.#host.goneError(node));
    // Reads among it go on elsewhere, which takes an engine that is not closed.
    await Promise.all(lost.map(({ gone }) => gone));
    await this.#until(() => engine.leases.counts.leased === 0, leaseLimitMs);
    if (!this.#isClosed) await engine.shut(0, this.#host.goneError(node));
  }

  async #until(isSo: () => boolean, limitMs: number): Promise<void> {
    const endsAt = performance.now() + limitMs;
    while (!isSo() && !this.#isClosed && performance.now() < endsAt) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
