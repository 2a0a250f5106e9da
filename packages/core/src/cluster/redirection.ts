import { isSlot } from './command-slot.js';

/** Where a node listens; an empty host stands for that of the node that was asked. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * What a node answers that did not run a command, and why it may be sent again:
 * - `moved`: the slot belongs to another node.
 * - `ask`: the slot is on its way, and the key is, or would be, at its new node already.
 * - `wait`: nobody can run it at this moment.
 */
export type Redirection =
  | { readonly kind: 'moved' | 'ask'; readonly slot: number; readonly address: NodeAddress }
  | { readonly kind: 'wait' };

const ELSEWHERE = /^(MOVED|ASK) (\d+) (\S*):(\d+)$/;
const LATER = /^(TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|READONLY)\b/;

/** Reads an error; `undefined` when it is none of these. */
export function redirectionOf(error: unknown): Redirection | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  const { message } = error;
  if (LATER.test(message)) return { kind: 'wait' };
  const [, kind, slot, host = '', port] = ELSEWHERE.exec(message) ?? [];
  if (kind === undefined || !isSlot(Number(slot))) return undefined;
  return {
    kind: kind === 'MOVED' ? 'moved' : 'ask',
    slot: Number(slot),
    address: { host, port: Number(port) },
  };
}
