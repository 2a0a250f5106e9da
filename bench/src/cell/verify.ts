import { deepStrictEqual } from 'node:assert';
import type { PeerClient, PeerId } from '../peers/peer.js';
import type { Dataset } from './dataset.js';

/** Throws unless the peer answers each command of the workloads with what is stored. */
export async function verify(id: PeerId, client: PeerClient, dataset: Dataset): Promise<void> {
  const { keys, writeKeys, keyGroups, hashKeys, hash, value } = dataset;
  const [key = '', writeKey = '', hashKey = ''] = [keys[0], writeKeys[0], hashKeys[0]];
  const group = keyGroups[0] as string[];
  const expected = { get: value, set: 'OK', mget: group.map(() => value), hgetall: hash };
  const actual = {
    get: await client.get(key),
    set: await client.set(writeKey, value),
    mget: await client.mget([...group]),
    hgetall: asRecord(await client.hgetall(hashKey)),
  };
  deepStrictEqual(actual, expected, `${id} answered something else than what is stored`);
}

/** valkey-glide answers HGETALL with a list of `{ field, value }`, node-redis with an object without prototype. */
function asRecord(reply: unknown): Record<string, unknown> {
  if (!Array.isArray(reply)) return { ...(reply as object) };
  const entries = reply as readonly { readonly field: string; readonly value: unknown }[];
  return Object.fromEntries(entries.map(({ field, value }) => [field, value]));
}
