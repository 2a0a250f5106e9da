import type { PeerClient } from '../peers/peer.js';
import type { Workload } from './cell-spec.js';
import type { Dataset } from './dataset.js';

/** Does the n-th piece of work. */
export type Operation = (n: number) => Promise<unknown>;

/** The work of a workload for one client. */
export function createOperation(client: PeerClient, workload: Workload, dataset: Dataset): Operation {
  const { keys, writeKeys, keyGroups, hashKeys, value } = dataset;
  const mask = keys.length - 1;
  const get: Operation = (n) => client.get(keys[n & mask] as string);
  const set: Operation = (n) => client.set(writeKeys[n & mask] as string, value);
  const mget: Operation = (n) => client.mget(keyGroups[n & mask] as string[]);
  const hgetall: Operation = (n) => client.hgetall(hashKeys[n & (hashKeys.length - 1)] as string);
  if (workload === 'mixed') return mixed([get, set, hgetall, mget]);
  return { get, set, mget, hgetall }[workload];
}

/** 60 GET, 20 SET, 10 HGETALL and 10 MGET of each hundred, spread evenly. */
function mixed(operations: readonly [get: Operation, set: Operation, hgetall: Operation, mget: Operation]) {
  const pattern = [0, 1, 0, 2, 0, 0, 1, 0, 3, 0].map((index) => operations[index] as Operation);
  return (n: number): Promise<unknown> => (pattern[n % pattern.length] as Operation)(n);
}
