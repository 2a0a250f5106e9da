import { type NodeStats, type PoolStats, statsOfPool, statsOfServer } from '../stats.js';
import type { ClusterEngine } from './cluster-engine.js';

/** A snapshot of a cluster: the sums first, then each node. */
export function takeClusterStats(cluster: ClusterEngine): PoolStats {
  const nodes = [...cluster.nodes.masters, ...cluster.nodes.replicas].map(
    ({ name, role, engine }): NodeStats => ({ address: name, role, ...statsOfServer(engine) }),
  );
  const sum = (count: (node: NodeStats) => number): number =>
    nodes.reduce((total, node) => total + count(node), 0);
  return {
    ...statsOfPool(cluster),
    status: cluster.status,
    lanes: nodes.flatMap(({ lanes }) => lanes),
    connections: {
      used: sum(({ connections }) => connections.used) + cluster.budget.used,
      // Per node, and once more for the subscriber and dedicated clients.
      max: cluster.options.maxConnections,
      dedicated: cluster.dedicated.size,
    },
    leases: {
      leased: sum(({ leases }) => leases.leased),
      idle: sum(({ leases }) => leases.idle),
      creating: sum(({ leases }) => leases.creating),
      waiting: sum(({ leases }) => leases.waiting),
      blocking: sum(({ leases }) => leases.blocking),
    },
    waitingForConnection:
      sum(({ waitingForConnection }) => waitingForConnection) + cluster.commands.router.held.size,
    connectAttempts: sum(({ connectAttempts }) => connectAttempts),
    connectFailures: Math.max(0, ...nodes.map(({ connectFailures }) => connectFailures)),
    loading: nodes.some(({ loading }) => loading),
    nodes,
    redirections: cluster.commands.redirections,
  };
}
