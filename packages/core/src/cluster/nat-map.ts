import { RedisPoolError } from '../errors/errors.js';
import { natAddress } from '../options/cluster-option-rules.js';
import type { ClusterConnectionOptions } from '../options/options.js';
import type { NodeAddress } from './redirection.js';
import { nameOfNode, type Translate } from './topology.js';

const OPTION = 'cluster.options.natMap';

/** Reads the option `natMap`: by the names of nodes, or a function. What it does not know stays as it is. */
export function translator(natMap: ClusterConnectionOptions['natMap']): Translate {
  if (natMap === undefined) return (address) => address;
  if (typeof natMap === 'function') return (address) => asked(natMap, address);
  return (address) => natMap[nameOfNode(address)] ?? address;
}

/** What a function of the user answers, which nobody could check before. */
function asked(natMap: (name: string) => NodeAddress | null | undefined, address: NodeAddress): NodeAddress {
  const name = nameOfNode(address);
  let answer: NodeAddress | null | undefined;
  try {
    answer = natMap(name);
  } catch (cause) {
    throw new RedisPoolError('RP_ERR_INVALID_OPTION', `Option "${OPTION}" threw for "${name}"`, { cause });
  }
  return answer === null || answer === undefined ? address : natAddress(answer, `${OPTION}("${name}")`);
}
