/**
 * Where the time of a call went that took too long, in whole milliseconds; what is missing took none. Together they are
 * the time from the call on.
 */
export interface TimeSpent {
  /** Waiting for a connection to the server. */
  readonly connectionMs?: number;
  /** Waiting for a lease, which other callers had. */
  readonly leaseMs?: number;
  /** Waiting for the socket to take what was written: the network or the server does not read. */
  readonly socketMs?: number;
  /** Waiting for the reply of the server. */
  readonly serverMs?: number;
  /** The application kept the event loop to itself, as far as that was noticed. */
  readonly blockedMs?: number;
}

const WORDS: readonly [key: keyof TimeSpent, words: string][] = [
  ['connectionMs', 'waiting for a connection'],
  ['leaseMs', 'waiting for a lease'],
  ['socketMs', 'waiting for the socket to take it'],
  ['serverMs', 'waiting for the server'],
  ['blockedMs', 'blocked event loop'],
];

/** What is known of a call that took too long. */
export interface Spending {
  readonly elapsedMs: number;
  /** What it was waiting for in the end. */
  readonly last: 'connectionMs' | 'leaseMs' | 'socketMs' | 'serverMs';
  /** How long it waited for a connection before that. */
  readonly connectionMs?: number;
  readonly blockedMs: number;
}

/** What a call was waiting for when its time was over. */
export type Waiting = Pick<Spending, 'last' | 'connectionMs'>;

/** Divides the time: what was blocked was spent on nothing else, and the rest on what came last. */
export function divideTime({ elapsedMs, last, connectionMs = 0, blockedMs }: Spending): TimeSpent {
  const elapsed = Math.round(elapsedMs);
  const blocked = Math.min(elapsed, Math.round(blockedMs));
  const before = Math.min(elapsed - blocked, Math.round(connectionMs));
  const spent: { -readonly [K in keyof TimeSpent]: number } = {};
  if (before > 0) spent.connectionMs = before;
  spent[last] = (spent[last] ?? 0) + elapsed - blocked - before;
  if (blocked > 0) spent.blockedMs = blocked;
  return spent;
}

/** In words, for messages: `1200 ms waiting for a connection, 3800 ms waiting for the server`. */
export function describeTime(spent: TimeSpent): string {
  let text = '';
  for (const [key, words] of WORDS) {
    const ms = spent[key];
    if (ms !== undefined) text += `${text === '' ? '' : ', '}${ms} ms ${words}`;
  }
  return text;
}
