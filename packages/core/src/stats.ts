import type { Counters } from './counters.js';
import type { Engine } from './engine.js';
import type { RedisPoolErrorCode } from './errors/errors.js';
import type { LatencyHistogram, LatencySnapshot } from './lanes/latency-histogram.js';
import type { PoolStatus } from './pool-engine.js';
import type { SubscriberStats } from './subscriber/subscriber.js';
import type { LoopDelay } from './transport/loop-delay.js';

/** One lane at one moment. */
export interface LaneStats {
  readonly up: boolean;
  /** How commands reach the wire; see docs/transport.md. `none` while the lane is down. */
  readonly link: 'direct' | 'public' | 'none';
  /** Sent and unanswered commands. */
  readonly inFlight: number;
  /** Bytes that wait for the socket to take them. */
  readonly unsentBytes: number;
  /** Age of the oldest unanswered command, ms. */
  readonly oldestMs: number;
  /** Commands sent, over all connections of this lane. */
  readonly commands: number;
  /** Writes to the socket, over all connections of this lane. */
  readonly flushes: number;
  readonly commandsPerFlush: number;
  /** Connections this lane has had. */
  readonly connections: number;
}

/** One node of a cluster at one moment: what it has of its own. */
export interface NodeStats extends Pick<PoolStats, OfNode> {
  /** `host:port`. */
  readonly address: string;
  readonly role: 'master' | 'replica';
}

type OfNode =
  | ('status' | 'lanes' | 'connections' | 'leases' | 'waitingForConnection')
  | ('connectAttempts' | 'connectFailures' | 'loading');

/** A fresh snapshot of a pool. Counters start with the engine and never go back. */
export interface PoolStats {
  readonly name: string;
  readonly status: PoolStatus;
  readonly lanes: readonly LaneStats[];
  /** Places of `maxConnections` in use: lanes, leases (those being connected too), subscriber, dedicated clients. */
  readonly connections: { readonly used: number; readonly max: number; readonly dedicated: number };
  readonly leases: {
    readonly leased: number;
    readonly idle: number;
    readonly creating: number;
    /** Callers that wait for a lease. */
    readonly waiting: number;
    /** Blocking commands that wait at the server. */
    readonly blocking: number;
  };
  /** Accepted and unanswered commands, those waiting for a connection included. */
  readonly pending: { readonly commands: number; readonly bytes: number };
  /** Of the pending ones, those that wait for a connection. */
  readonly waitingForConnection: number;
  readonly subscriber: SubscriberStats;
  readonly commands: number;
  /** Reads that were sent again after a lost connection. */
  readonly resends: number;
  /** Error replies of the server, which went to their callers. */
  readonly errorReplies: number;
  readonly lostConnections: number;
  /** Transactions that started again because a watched key changed. */
  readonly conflicts: number;
  /** Leases that were held for longer than `leaseReportMs`. */
  readonly longLeases: number;
  /** Leases that were taken back from scopes that had ended, see `forgottenLeaseMs`. */
  readonly forgottenLeases: number;
  /** Scopes whose client hung up before it had its response. */
  readonly hangUps: number;
  /** Connections that gave way to another one although nothing had failed: aged, or to a server of no more use. */
  readonly replacedConnections: number;
  /** Times that connections were replaced because the server had become a replica or asked for credentials again. */
  readonly uselessServers: number;
  /** Connections that authenticated with new credentials, and times that the server refused it. */
  readonly reauthentications: number;
  readonly reauthenticationsFailed: number;
  /** Connections that were ended because the server owed a reply and sent nothing: gone without a word. */
  readonly stalls: number;
  /** PINGs on connections on which nothing else came. */
  readonly heartbeats: number;
  /** Of those, the ones that found a connection dead. */
  readonly heartbeatsFailed: number;
  /** How the application held up the event loop, as far as timers of the pool came late. */
  readonly eventLoop: { readonly blockedMs: number; readonly longestMs: number };
  readonly connectAttempts: number;
  /** Failed attempts in a row, 0 while connected. */
  readonly connectFailures: number;
  /** Whether the server was reached, loads its data and is waited for; of a cluster, one of its nodes. */
  readonly loading: boolean;
  /** Errors of the pool, by code; codes that never occurred are missing. */
  readonly errors: Readonly<Partial<Record<RedisPoolErrorCode, number>>>;
  /** From the call to the reply, over all lanes. */
  readonly latency: LatencySnapshot;
  /** On a cluster its nodes that were used so far; everything above is the sum of them. Empty without a cluster. */
  readonly nodes: readonly NodeStats[];
  /** Times that a node of a cluster sent a command elsewhere (MOVED, ASK). */
  readonly redirections: number;
}

/** What a snapshot is taken of: one server, or a cluster. */
export interface Measured {
  readonly options: { readonly name: string };
  readonly counters: Counters;
  readonly delay: LoopDelay;
  readonly latency: LatencyHistogram;
  readonly pending: { readonly commands: number; readonly bytes: number };
  readonly subscriber: { stats(): SubscriberStats };
}

export function takeStats(
  engine: Engine & Measured & { readonly dedicated: { readonly size: number } },
): PoolStats {
  const ofServer = statsOfServer(engine);
  const connections = { ...ofServer.connections, dedicated: engine.dedicated.size };
  return { ...ofServer, ...statsOfPool(engine), connections, nodes: [], redirections: 0 };
}

export function statsOfServer(engine: Engine): Pick<PoolStats, OfNode> {
  const { dials } = engine;
  const now = performance.now();
  return {
    status: engine.status,
    lanes: engine.lanes.map((lane) => laneStats(lane, now)),
    connections: { used: engine.budget.used, max: engine.budget.max, dedicated: 0 },
    leases: { ...engine.leases.counts, blocking: engine.leases.blocking.size },
    waitingForConnection: engine.router.waitingCommands,
    connectAttempts: dials.attempts,
    connectFailures: dials.failures,
    loading: dials.isLoading && engine.status !== 'closed',
  };
}

export function statsOfPool(
  engine: Measured,
): Omit<PoolStats, keyof ReturnType<typeof statsOfServer> | 'nodes' | 'redirections'> {
  const { counters, delay, pending } = engine;
  return {
    name: engine.options.name,
    pending: { commands: pending.commands, bytes: pending.bytes },
    subscriber: engine.subscriber.stats(),
    commands: counters.commands,
    resends: counters.resends,
    errorReplies: counters.errorReplies,
    lostConnections: counters.lostConnections,
    conflicts: counters.conflicts,
    longLeases: counters.longLeases,
    forgottenLeases: counters.forgottenLeases,
    hangUps: counters.hangUps,
    replacedConnections: counters.replacedConnections,
    uselessServers: counters.uselessServers,
    reauthentications: counters.reauthentications,
    reauthenticationsFailed: counters.reauthenticationsFailed,
    stalls: counters.stalls,
    heartbeats: counters.heartbeats,
    heartbeatsFailed: counters.heartbeatsFailed,
    eventLoop: { blockedMs: delay.totalMs, longestMs: delay.longestMs },
    errors: Object.fromEntries(counters.errors),
    latency: engine.latency.snapshot(),
  };
}

function laneStats(lane: Engine['lanes'][number], now: number): LaneStats {
  const { commands, connections } = lane.counters;
  const flushes = lane.counters.flushes + (lane.connection?.coalescer.flushes ?? 0);
  return {
    up: lane.isUp,
    link: lane.linkKind,
    inFlight: lane.inFlight,
    unsentBytes: lane.connection?.coalescer.pending ?? 0,
    oldestMs: lane.oldestAgeMs(now),
    commands,
    flushes,
    commandsPerFlush: flushes === 0 ? 0 : commands / flushes,
    connections,
  };
}
