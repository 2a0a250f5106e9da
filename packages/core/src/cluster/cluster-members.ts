import type { Engine } from '../engine.js';
import { isRedisPoolError } from '../errors/errors.js';
import { describeEndpoint } from '../options/resolved-options.js';
import { DialError } from '../transport/dial.js';
import { ClusterNode, type NodeRole } from './cluster-node.js';
import { ClusterNodes } from './cluster-nodes.js';
import type { ClusterSettings } from './cluster-settings.js';
import type { NodeAddress } from './redirection.js';
import { parseTopology, type Topology } from './topology.js';
import { type TopologyHost, TopologyWatch } from './topology-watch.js';

/** What the members need of their cluster. */
export interface MembersHost {
  readonly settings: ClusterSettings;
  readonly leaseLimitMs: number;
  makeEngine(address: NodeAddress, role: NodeRole, nodeOf: () => ClusterNode): Engine;
  goneError(node: ClusterNode): Error;
  /** What a node said of the cluster just now. */
  learned(topology: Topology): void;
  /** The last connection to a node was lost. */
  nodeLost(node: ClusterNode): void;
  /** Something changed that the state of the whole may depend on. */
  changed(event: 'up' | 'down' | 'dialFailed'): void;
}

/** Which nodes there are, as far as they said themselves, and which of them are connected. */
export class ClusterMembers implements TopologyHost {
  readonly nodes: ClusterNodes;
  readonly watch: TopologyWatch;
  /** Why what a node was asked last is of no use: the user may not ask, or an option is wrong. */
  refusal: DialError | undefined;
  readonly #host: MembersHost;
  #topology: Topology | undefined;
  #nextSeed = 0;

  constructor(host: MembersHost) {
    this.#host = host;
    this.nodes = new ClusterNodes({
      make: (address, role) => this.#make(address, role),
      leaseLimitMs: host.leaseLimitMs,
      goneError: (node) => host.goneError(node),
    });
    this.watch = new TopologyWatch(this, host.settings.refresh);
  }

  /** Undefined until a node has said it. */
  get topology(): Topology | undefined {
    return this.#topology;
  }

  /** Those that have slots. */
  get masters(): readonly ClusterNode[] {
    const names = [...(this.#topology?.shards.keys() ?? [])];
    return names.flatMap((name) => this.nodes.find(name, 'master') ?? []);
  }

  /** Whether every slot has a connected node. */
  get isWhole(): boolean {
    const { masters } = this;
    return masters.length > 0 && masters.every(({ engine }) => engine.isUp);
  }

  /** A connected replica of a master; those that are not are started. */
  replicaOf({ name }: ClusterNode): ClusterNode | undefined {
    const names = this.#topology?.shards.get(name) ?? [];
    const replicas = names.map((each) => this.nodes.needNamed(each, 'replica'));
    const up = replicas.filter(({ engine }) => engine.isUp);
    if (up.length < replicas.length) for (const { engine } of replicas) engine.start();
    return up[Math.floor(Math.random() * up.length)];
  }

  // ---- what keeping up with the cluster needs ----

  get seedCount(): number {
    return this.#host.settings.seeds.length;
  }

  connected(): readonly Engine[] {
    const up = [...this.nodes.masters, ...this.nodes.replicas].filter(({ engine }) => engine.isUp);
    // Not always the same one, which may be the one that has not heard of a change.
    const first = Math.floor(Math.random() * up.length);
    const engines = [...up.slice(first), ...up.slice(0, first)].map(({ engine }) => engine);
    // One that says nothing to anybody is asked when no other answers.
    return engines.sort((one, other) => Number(one.watch.isSilent) - Number(other.watch.isSilent));
  }

  async reachSeed(): Promise<Engine | undefined> {
    const { seeds } = this.#host.settings;
    const address = seeds[this.#nextSeed % seeds.length] as NodeAddress;
    this.#nextSeed += 1;
    const { engine } = this.nodes.need(address, 'master');
    return (await isReached(engine)) ? engine : undefined;
  }

  refused(error: unknown, { options }: Engine): void {
    if (!(error instanceof Error)) return;
    const isForbidden = error.message.startsWith('NOPERM');
    if (!isForbidden && !isMistake(error)) return;
    const where = `Redis pool "${options.name}" could not learn from ${describeEndpoint(options)} who has which slots`;
    const message = `${where}: ${error.message}${isForbidden ? ' (an ACL rule of the user forbids it)' : ''}`;
    this.refusal = new DialError(isForbidden ? 'RP_ERR_AUTH' : 'RP_ERR_INVALID_OPTION', message, error, true);
    this.#host.changed('dialFailed');
  }

  adopt(reply: unknown, asked: Engine): boolean {
    const host = asked.options.endpoint.kind === 'tcp' ? asked.options.endpoint.host : '';
    const topology = parseTopology(reply, host, this.#host.settings.translate);
    if (topology === undefined) return false;
    this.#topology = topology;
    this.refusal = undefined;
    this.#host.learned(topology);
    for (const { engine } of this.masters) engine.start();
    this.#host.changed('up');
    return true;
  }

  /** A silent master may have a successor long before its connections are given up. */
  mayChangeSoon(): boolean {
    return this.isTroubled() || this.masters.some(({ engine }) => engine.watch.isSilent);
  }

  /** Whether slots have no connected node, and not only because it has just joined. */
  isTroubled(): boolean {
    return this.masters.length === 0 || this.masters.some(isMissing);
  }

  #make(address: NodeAddress, role: NodeRole): ClusterNode {
    const node: ClusterNode = new ClusterNode(address, role, () =>
      this.#host.makeEngine(address, role, () => node),
    );
    const { events } = node.engine;
    events.on('ready', () => this.#host.changed('up'));
    events.on('restored', () => this.#host.changed('up'));
    events.on('degraded', () => {
      this.#host.nodeLost(node);
      this.#changed('down');
    });
    events.on('dialFailed', () => this.#changed('dialFailed'));
    events.on('silent', () => this.watch.request());
    return node;
  }

  #changed(event: 'down' | 'dialFailed'): void {
    this.watch.request();
    this.#host.changed(event);
  }
}

/** Not one that is only on its way: a node that has just joined is no trouble. */
function isMissing({ engine }: ClusterNode): boolean {
  return !engine.isUp && (engine.status === 'degraded' || engine.dials.failures > 0);
}

/** Of the options: what only shows when they are used. */
function isMistake(error: Error): boolean {
  return isRedisPoolError(error) && error.code === 'RP_ERR_INVALID_OPTION';
}

/** Tries to connect, once; does not wait for more. */
function isReached(engine: Engine): Promise<boolean> {
  if (engine.isUp) return Promise.resolve(true);
  engine.start();
  return new Promise((resolve) => {
    const events = ['ready', 'restored', 'dialFailed', 'close'] as const;
    const settle = (): void => {
      for (const event of events) engine.events.off(event, settle);
      resolve(engine.isUp);
    };
    for (const event of events) engine.events.on(event, settle);
  });
}
