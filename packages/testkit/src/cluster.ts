import type { ServerTls } from './redis-launch.js';
import { type RedisServer, startProcess } from './redis-server.js';
import { replicaArguments } from './replicas.js';
import { moveSlot } from './slot-move.js';
import { startTogether, stopTogether } from './together.js';
import { waitUntil } from './wait-until.js';

const SLOTS = 16_384;
const AGREE_TIMEOUT_MS = 30_000;

/** Where a node says that it is. */
export interface AnnouncedAddress {
  readonly host: string;
  readonly port: number;
}

/** Options of {@link startCluster}. */
export interface StartClusterOptions {
  /** Each gets an equal share of the slots. @default 3 */
  readonly masters?: number;
  /** @default 1 */
  readonly replicasPerMaster?: number;
  /** Silence after which a node is taken for down, and half of what a failover takes. @default 1000 */
  readonly nodeTimeoutMs?: number;
  /** Of the default user of every node. @default none */
  readonly password?: string;
  /** For clients, replicas and the cluster bus. @default no */
  readonly tls?: ServerTls;
  /** More arguments of every node. */
  readonly args?: readonly string[];
  /**
   * What a node is to call itself, as behind a NAT: nodes and clients are told this address. Its replicas use it too,
   * so that something has to listen there: a `FaultProxy`, for example. @default its own address
   */
  readonly announce?: (node: RedisServer) => Promise<AnnouncedAddress> | AnnouncedAddress;
}

/** A slice of the slots, both ends included. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

/** A node as the cluster sees it. */
export interface ClusterNodeView {
  readonly id: string;
  readonly role: 'master' | 'replica';
  /** Of a replica. */
  readonly masterId: string | undefined;
  readonly flags: readonly string[];
  readonly isLinked: boolean;
  readonly slots: readonly SlotRange[];
  /** Of two that claim a slot, the one with the higher epoch has it. */
  readonly epoch: number;
}

/** Starts the nodes of a Redis Cluster and joins them; resolves when every node says that all is well. */
export async function startCluster(options: StartClusterOptions = {}): Promise<RedisCluster> {
  const { masters = 3, replicasPerMaster = 1 } = options;
  const count = masters * (1 + replicasPerMaster);
  const nodes = await startTogether(Array.from({ length: count }, () => () => startNode(options)));
  const cluster = new RedisCluster(nodes, options.password);
  try {
    await announce(nodes, options);
    await join(cluster, masters);
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

function startNode({ nodeTimeoutMs = 1_000, password, tls, args = [] }: StartClusterOptions) {
  return startProcess({
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    cluster: true,
    args: ['--cluster-node-timeout', `${nodeTimeoutMs}`, ...replicaArguments({ password }), ...args],
  });
}

async function announce(nodes: readonly RedisServer[], { announce: addressOf }: StartClusterOptions) {
  if (addressOf === undefined) return;
  for (const node of nodes) {
    const { host, port } = await addressOf(node);
    await node.adminCommand('CONFIG', 'SET', 'cluster-announce-ip', host);
    const option = node.url.startsWith('rediss:') ? 'cluster-announce-tls-port' : 'cluster-announce-port';
    await node.adminCommand('CONFIG', 'SET', option, port);
  }
}

async function join(cluster: RedisCluster, masters: number): Promise<void> {
  const { nodes } = cluster;
  const [first] = nodes as [RedisServer];
  for (const [index, node] of nodes.entries()) {
    // Different ones, or the nodes settle on them one by one.
    await node.adminCommand('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    if (node !== first)
      await first.adminCommand('CLUSTER', 'MEET', node.host, node.port, await busPort(node));
  }
  for (const [index, node] of nodes.slice(0, masters).entries()) {
    const from = Math.floor((SLOTS * index) / masters);
    const to = Math.floor((SLOTS * (index + 1)) / masters) - 1;
    await node.adminCommand('CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  // One whose hand is still being shaken goes by another ID.
  const areKnown = (views: readonly ClusterNodeView[]) =>
    views.length === nodes.length && views.every(({ flags }) => !flags.includes('handshake'));
  await cluster.untilAll('know each other', areKnown);
  for (const [index, replica] of nodes.slice(masters).entries()) {
    const master = nodes[index % masters] as RedisServer;
    await replica.adminCommand('CLUSTER', 'REPLICATE', await cluster.idOf(master));
  }
  await cluster.untilWell();
}

async function busPort(node: RedisServer): Promise<number> {
  const [, port] = (await node.adminCommand('CONFIG', 'GET', 'cluster-port')) as string[];
  return Number(port);
}

/** A running Redis Cluster; made by {@link startCluster}. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly #password: string | undefined;

  /** @internal */
  constructor(nodes: readonly RedisServer[], password: string | undefined) {
    this.nodes = nodes;
    this.#password = password;
  }

  /** The nodes as one of them sees them, by default the first one that runs. */
  async view(node: RedisServer = this.#anyRunning()): Promise<readonly ClusterNodeView[]> {
    const text = String(await node.adminCommand('CLUSTER', 'NODES'));
    return text.trim().split('\n').map(parseNode);
  }

  async idOf(node: RedisServer): Promise<string> {
    return String(await node.adminCommand('CLUSTER', 'MYID'));
  }

  /** The running nodes that are masters with slots. */
  async masters(): Promise<readonly RedisServer[]> {
    return this.#running(({ role, slots }) => role === 'master' && slots.length > 0);
  }

  /** The running replicas of a master, which may be down itself when its ID is given. */
  async replicasOf(master: RedisServer | string): Promise<readonly RedisServer[]> {
    const id = typeof master === 'string' ? master : await this.idOf(master);
    return this.#running(({ masterId }) => masterId === id);
  }

  /** The running master of a slot. */
  async ownerOf(slot: number): Promise<RedisServer> {
    const holds = ({ from, to }: SlotRange) => from <= slot && slot <= to;
    const [owner] = await this.#running(({ role, slots }) => role === 'master' && slots.some(holds));
    if (owner === undefined) throw new Error(`No running node owns slot ${slot}`);
    return owner;
  }

  /**
   * Moves slots with their keys, one after the other, as resharding does: clients meet ASK, TRYAGAIN and MOVED. Also
   * under load. Resolves when all nodes agree.
   */
  async moveSlots(source: RedisServer, target: RedisServer, { from, to }: SlotRange): Promise<void> {
    const ids = { source: await this.idOf(source), target: await this.idOf(target) };
    const masters = await this.masters();
    for (let slot = from; slot <= to; slot += 1) {
      await moveSlot({ slot, source, target, ids, masters, password: this.#password });
    }
    await this.#untilAgreed(target, { from, to });
  }

  /**
   * Waits until every node knows the slots at their new owner, and its epoch. The next owner takes an epoch above all
   * that it knows: without the last one it would not win, and the two would send clients to each other for good.
   */
  async #untilAgreed(owner: RedisServer, { from, to }: SlotRange): Promise<void> {
    const id = await this.idOf(owner);
    const { epoch = 0 } = (await this.view(owner)).find((view) => view.id === id) ?? {};
    const holds = (slots: readonly SlotRange[]) =>
      slots.some((range) => range.from <= from && to <= range.to);
    await this.untilAll(`see slots ${from} to ${to} at the node on port ${owner.port}`, (views) =>
      views.some((view) => view.id === id && view.epoch >= epoch && holds(view.slots)),
    );
  }

  /** Makes a replica the master in its master's place, by agreement of both; resolves when it is. */
  async failOver(replica: RedisServer): Promise<void> {
    await replica.adminCommand('CLUSTER', 'FAILOVER');
    await this.untilMaster(replica);
  }

  /** Waits until every running node sees this one as a master with slots. */
  async untilMaster(node: RedisServer): Promise<void> {
    const id = await this.idOf(node);
    await this.untilAll(`see the node on port ${node.port} as master`, (views) =>
      views.some((view) => view.id === id && view.role === 'master' && view.slots.length > 0),
    );
  }

  /** Waits until every running node says that all slots are served and each running replica follows its master. */
  async untilWell(): Promise<void> {
    await this.untilAll('say that all is well', async (views, node) => {
      const info = String(await node.adminCommand('CLUSTER', 'INFO'));
      const replication = String(await node.adminCommand('INFO', 'replication'));
      const up = views.filter(
        ({ isLinked, flags }) => isLinked && !flags.some((flag) => flag.startsWith('fail')),
      );
      const isFollowing =
        !replication.includes('role:slave') || replication.includes('master_link_status:up');
      return (
        info.includes('cluster_state:ok') &&
        up.length >= this.#allRunning().length &&
        isFollowing &&
        views.filter(({ role }) => role === 'replica').length === (await this.#replicaCount())
      );
    });
  }

  /** @internal */
  async untilAll(
    what: string,
    isSo: (views: readonly ClusterNodeView[], node: RedisServer) => boolean | Promise<boolean>,
  ): Promise<void> {
    const ask = async (node: RedisServer) => isSo(await this.view(node), node);
    const condition = async () => {
      const answers = await Promise.all(this.#allRunning().map((node) => ask(node).catch(() => false)));
      return answers.length > 0 && answers.every(Boolean);
    };
    await waitUntil(condition, { timeoutMs: AGREE_TIMEOUT_MS, what: `all nodes ${what}` });
  }

  /** Stops every node. Idempotent. */
  stop(): Promise<void> {
    return stopTogether(this.nodes);
  }

  #allRunning(): RedisServer[] {
    return this.nodes.filter(({ status }) => status === 'running');
  }

  #anyRunning(): RedisServer {
    const [node] = this.#allRunning();
    if (node === undefined) throw new Error('No node of the cluster runs');
    return node;
  }

  async #replicaCount(): Promise<number> {
    const views = await this.view();
    return views.filter(({ role }) => role === 'replica').length;
  }

  async #running(fits: (view: ClusterNodeView) => boolean): Promise<readonly RedisServer[]> {
    const wanted = new Set((await this.view()).filter(fits).map(({ id }) => id));
    const entries = this.#allRunning().map(
      async (node) => [node, wanted.has(await this.idOf(node))] as const,
    );
    return (await Promise.all(entries)).flatMap(([node, isWanted]) => (isWanted ? [node] : []));
  }
}

/** `<id> <address> <flags> <master> <ping> <pong> <epoch> <link> <slots...>`; `[...]` are slots on the move. */
function parseNode(line: string): ClusterNodeView {
  const [id = '', , flagList = '', masterId = '-', , , epoch, link, ...slots] = line.trim().split(' ');
  const flags = flagList.split(',');
  return {
    id,
    role: flags.includes('master') ? 'master' : 'replica',
    masterId: masterId === '-' ? undefined : masterId,
    flags,
    isLinked: link === 'connected',
    slots: slots.filter((range) => !range.startsWith('[')).map(parseRange),
    epoch: Number(epoch),
  };
}

function parseRange(range: string): SlotRange {
  const [from = '', to = from] = range.split('-');
  return { from: Number(from), to: Number(to) };
}
