import type { ClusterConnectionOptions } from '../options/options.js';
import { nameOfNode, type Translate } from './topology.js';

/** Reads the option `natMap`: by the names of nodes, or a function. What it does not know stays as it is. */
export function translator(natMap: ClusterConnectionOptions['natMap']): Translate {
  if (natMap === undefined) return (address) => address;
  if (typeof natMap === 'function') return (address) => natMap(nameOfNode(address)) ?? address;
  return (address) => natMap[nameOfNode(address)] ?? address;
}
