import type { PoolCommand } from '../commands/command.js';
import { groupByNode } from './batches.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { HeldCommands, type HeldHost } from './held-commands.js';
import { SLOT_COUNT } from './key-slot.js';
import { type NodeAddress, type Redirection, redirectionOf } from './redirection.js';
import type { Topology, Translate } from './topology.js';
import { BlockCommand } from './transaction-block.js';

/**
 * How often in a row a command goes on at once. Sent on more often than a move explains, it meets nodes that do not
 * agree yet, and waits in between: without pauses all redirections would be used up in a millisecond or two.
 */
export const PROMPT_REDIRECTIONS = 3;

/** What the router of slots needs of its cluster. */
export interface SlotRouterHost extends HeldHost {
  readonly nodes: ClusterNodes;
  readonly maxRedirections: number;
  /** Pauses after CLUSTERDOWN and its like, and after TRYAGAIN. */
  readonly waitMs: { readonly clusterDown: number; readonly tryAgain: number };
  readonly translate: Translate;
  /** Asks the cluster who has which slots, soon. */
  refresh(): void;
  /** Whether commands that do not ask for it may go to replicas. */
  readonly readsFromReplicas: boolean;
  /** The node that answers a command: its owner, or a replica where that is wanted and possible. */
  readerFor(command: PoolCommand, owner: ClusterNode): ClusterNode;
  /** Sent from node to node for too long. */
  lost(command: PoolCommand, why: Error): void;
  redirections: number;
}

/**
 * Brings commands to the node that has their slot, and on when a node answers that it has not.
 *
 * Law 9, for each slot: when a slot changes hands, commands for its new node wait until everything that the old one was
 * sent before is answered, since what of it comes back is sent to the new node first.
 */
export class SlotRouter {
  readonly held: HeldCommands;
  readonly #host: SlotRouterHost;
  readonly #owners: (ClusterNode | undefined)[] = Array(SLOT_COUNT).fill(undefined);
  /** Slots that wait for a better moment. */
  readonly #pausing = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #isKnown = false;

  constructor(host: SlotRouterHost) {
    this.#host = host;
    this.held = new HeldCommands(host);
  }

  /** Whether any node has said who has which slots. Before, commands wait. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  ownerOf(slot: number): ClusterNode | undefined {
    return this.#owners[slot];
  }

  /** One slot of each node that has any, by its name. */
  firstSlots(): ReadonlyMap<string, number> {
    const slots = new Map<string, number>();
    for (const [slot, owner] of this.#owners.entries())
      if (owner !== undefined && !slots.has(owner.name)) slots.set(owner.name, slot);
    return slots;
  }

  /** To where its slot is, or into the queue of those that have to wait. */
  dispatch(command: PoolCommand): void {
    const owner = this.#owners[command.slot];
    if (owner === undefined || this.held.isClosed(command.slot)) this.held.hold(command);
    else if (command.prefersReplica || this.#host.readsFromReplicas)
      this.#host.readerFor(command, owner).take(command);
    else owner.take(command);
  }

  /** Takes over what a node said of all slots. Slots without an owner go where the server can say so. */
  adopt({ owners, shards }: Topology): void {
    const [anyone] = shards.keys();
    const changed = new Map<ClusterNode, number[]>();
    const { nodes } = this.#host;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      const before = this.#owners[slot];
      const name = owners[slot] ?? (anyone as string);
      if (before?.name === name && !before.left.aborted) continue;
      this.#owners[slot] = nodes.needNamed(name, 'master');
      if (before === undefined) continue;
      const slots = changed.get(before);
      if (slots === undefined) changed.set(before, [slot]);
      else slots.push(slot);
    }
    this.#isKnown = true;
    for (const [before, slots] of changed) this.#handOver(before, slots);
    nodes.retain('master', new Set(shards.keys()));
    nodes.retain('replica', new Set([...shards.values()].flat()));
    this.#flush();
  }

  /** Takes back what waits at a node for slots that it does not have (any more). */
  reclaim(node: ClusterNode): void {
    const strays = node.engine.router.takeWaiting(({ slot }) => slot >= 0 && this.#owners[slot] !== node);
    for (const command of strays) {
      leaveBatch(command);
      // Older than whatever was held meanwhile.
      if (this.held.isClosed(command.slot)) this.held.holdRefused(command);
      else this.dispatch(command);
    }
  }

  /** See {@link RouterHost}. */
  redirected(node: ClusterNode, command: PoolCommand, error: Error): boolean {
    // Commands of the pool itself are about the node; a transaction goes again as a whole.
    if (command.slot < 0 || command instanceof BlockCommand) return false;
    const redirection = redirectionOf(error);
    if (redirection === undefined) return false;
    leaveBatch(command);
    const owner = this.#owners[command.slot];
    if (node.role === 'replica' && owner !== undefined) {
      // It is behind, or a replica of another one by now: its master has the answer.
      command.prefersReplica = false;
      this.#host.refresh();
      owner.take(command);
      return true;
    }
    if (redirection.kind !== 'wait') {
      command.redirections += 1;
      this.#host.redirections += 1;
    }
    if (command.redirections > this.#host.maxRedirections) this.#host.lost(command, error);
    else this.forward([command], redirection, { asked: node, error });
    return true;
  }

  /**
   * Sends commands of one slot again, which a node has refused to run. Not through the queue where that can be helped:
   * they are older than what waits there.
   */
  forward(
    commands: readonly PoolCommand[],
    redirection: Redirection,
    { asked, error }: { readonly asked: ClusterNode; readonly error: Error },
  ): void {
    const { slot, redirections } = commands[0] as PoolCommand;
    const target = redirection.kind === 'wait' ? undefined : this.learn(redirection, asked);
    const isPrompt = redirections <= PROMPT_REDIRECTIONS && !this.#pausing.has(slot);
    if (target !== undefined && isPrompt) {
      if (redirection.kind === 'moved') {
        for (const command of commands) target.take(command);
        return;
      }
      if (target.takeAsking(commands)) return;
      target.engine.start();
    }
    this.#pause(slot, error);
    for (const command of commands) this.held.holdRefused(command, error);
  }

  /** Learns from a redirection; returns where it points to, if that can be found out. */
  learn(
    { kind, slot, address }: Redirection & { slot: number; address: NodeAddress },
    asked: ClusterNode,
  ): ClusterNode | undefined {
    const host = address.host === '' ? asked.address.host : address.host;
    if (kind === 'moved') this.#host.refresh();
    const target = this.#find({ host, port: address.port });
    if (target !== undefined && kind === 'moved') this.#moved(slot, target);
    return target;
  }

  /** Ends all waiting and returns what waited. */
  end(): PoolCommand[] {
    clearTimeout(this.#timer);
    return this.held.takeAll();
  }

  #find(address: NodeAddress): ClusterNode | undefined {
    try {
      return this.#host.nodes.need(this.#host.translate(address), 'master');
    } catch {
      // The same happens, and is told, when the cluster is asked the next time.
      return undefined;
    }
  }

  /** Has the commands of a slot wait a little. */
  #pause(slot: number, why: Error): void {
    const isMoving = why.message.startsWith('TRYAGAIN') || why.message.startsWith('ASK');
    if (!isMoving) this.#host.refresh();
    if (!this.#pausing.has(slot)) {
      this.#pausing.add(slot);
      this.held.close(slot);
    }
    const { clusterDown, tryAgain } = this.#host.waitMs;
    this.#timer ??= setTimeout(this.#resume, isMoving ? tryAgain : clusterDown);
  }

  #moved(slot: number, target: ClusterNode): void {
    const before = this.#owners[slot];
    if (before === target) return;
    this.#owners[slot] = target;
    if (before !== undefined) this.#handOver(before, [slot]);
  }

  #handOver(before: ClusterNode, slots: readonly number[]): void {
    for (const slot of slots) this.held.close(slot);
    for (const command of before.engine.router.takeWaiting(
      ({ slot }) => slot >= 0 && this.#owners[slot] !== before,
    )) {
      leaveBatch(command);
      this.held.hold(command);
    }
    before.engine.router.lanes.afterInFlight(() => {
      for (const slot of slots) this.held.open(slot);
      this.#flush();
    });
  }

  readonly #resume = (): void => {
    this.#timer = undefined;
    for (const slot of this.#pausing) this.held.open(slot);
    this.#pausing.clear();
    this.#flush();
  };

  #flush(): void {
    if (!this.#isKnown) return;
    const commands = this.held.takeOpen();
    // Their nodes may be others than when they were called.
    const single = commands.filter((command) => !(command instanceof BlockCommand));
    groupByNode(single, ({ slot }) => this.#owners[slot]);
    for (const command of commands) this.dispatch(command);
  }
}

/** On its own from now on: what its chain wrote elsewhere says nothing about it. */
function leaveBatch(command: PoolCommand): void {
  if (command.batch === undefined || command instanceof BlockCommand) return;
  command.batch = { first: command, decisive: command };
}
