import type { RedisServer } from './redis-server.js';

const KEYS_AT_ONCE = 100;
const MIGRATE_TIMEOUT_MS = 1_000;

/** One slot on its way from one master to another. */
export interface SlotMove {
  readonly slot: number;
  readonly source: RedisServer;
  readonly target: RedisServer;
  /** Of the two in the cluster. */
  readonly ids: { readonly source: string; readonly target: string };
  /** All that are to hear of the new owner at once; the others hear of it by gossip. */
  readonly masters: readonly RedisServer[];
  readonly password: string | undefined;
}

/** Moves a slot and its keys in the order in which resharding does it, so that no key is ever out of reach. */
export async function moveSlot(move: SlotMove): Promise<void> {
  const { slot, source, target, ids, masters } = move;
  await target.adminCommand('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids.source);
  await source.adminCommand('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids.target);
  await moveKeys(move);
  const others = masters.filter((master) => master !== source && master !== target);
  // The new owner first: were the old one to forget the slot before, nobody would have it for a moment.
  for (const node of [target, source, ...others]) {
    await node.adminCommand('CLUSTER', 'SETSLOT', slot, 'NODE', ids.target);
  }
}

async function moveKeys({ slot, source, target, password }: SlotMove): Promise<void> {
  const auth = password === undefined ? [] : ['AUTH', password];
  for (;;) {
    const keys = (await source.adminCommand('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_ONCE)) as string[];
    if (keys.length === 0) return;
    const address = [target.host, target.port, '', 0, MIGRATE_TIMEOUT_MS];
    // REPLACE: a key that moved while the answer was lost is there already.
    await source.adminCommand('MIGRATE', ...address, 'REPLACE', ...auth, 'KEYS', ...keys);
  }
}
