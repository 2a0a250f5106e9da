import type { CommandArgument, PoolCommand } from '../commands/command.js';
import type { Connection } from '../transport/connection.js';
import { fairTimeout } from '../transport/fair-timeout.js';
import { blockingTimeoutMs, withBlockingTimeout } from './blocking-timeout.js';
import type { LeaseConnection } from './lease-connection.js';
import { hasMovingIds, withConcreteIds } from './stream-ids.js';

/** Where UNBLOCK is forbidden, the server is asked to wait no longer than this at a time. */
const SHORT_SLICE_MS = 500;
/** Everywhere else, so many times `heartbeatMs`: a wait that is asked for again has lost its place in line. */
const HEARTBEATS = 6;
const LONGEST_SLICE_MS = 1_000_000_000;

/** What waits in slices need of their engine. */
export interface SlicingHost {
  /** Longest time without a word from the server about a command that waits there; `Infinity`: for ever. */
  readonly longSliceMs: number;
  /** How long a server may owe a reply and send nothing. */
  readonly stallMs: number;
  /** Ends a connection that was silent for so long while a reply was owed. */
  silent(connection: Connection, silentMs: number): void;
}

/** The time of a slice by the option; whole seconds, since servers before 6.0 know no others. */
export function longSliceMsOf({ heartbeatMs }: { readonly heartbeatMs: number }): number {
  if (heartbeatMs === 0) return Number.POSITIVE_INFINITY;
  return Math.min(LONGEST_SLICE_MS, Math.ceil((heartbeatMs * HEARTBEATS) / 1_000) * 1_000);
}

/**
 * How long the server may hold a command at a time, ms; `undefined`: as long as the command says.
 *
 * A connection can die without a word, and a server that holds a command says nothing either: so it is asked to say
 * that nothing has come, now and then. And a wait that nobody may end has to end soon by itself.
 */
export function sliceMsOf(
  command: PoolCommand,
  lease: LeaseConnection,
  host: SlicingHost,
): number | undefined {
  const ownMs = blockingTimeoutMs(command);
  // Where the timeout of an unknown command stands is a guess: good enough for a limit, not to change it.
  if (ownMs === undefined || command.profile.class === 'unknown') return undefined;
  if (lease.unblockId === undefined) return SHORT_SLICE_MS;
  // To find out where such a command begins takes time, in which what its holder sends next would overtake it (law 9).
  if (lease.isHeld && hasMovingIds(command)) return undefined;
  return (ownMs || Number.POSITIVE_INFINITY) > host.longSliceMs ? host.longSliceMs : undefined;
}

/**
 * Many short waits instead of one long. Resolves with `null` when the time is over or `isCancelled`; rejects when the
 * connection is lost, and ends it when the server does not answer a slice in time.
 */
export async function waitInSlices(
  command: PoolCommand,
  lease: LeaseConnection,
  { sliceMs, host, send, isCancelled }: SlicedWaitOptions,
): Promise<unknown> {
  const ownMs = blockingTimeoutMs(command) || Number.POSITIVE_INFINITY;
  const endsAt = performance.now() + ownMs;
  // At once where nothing has to be asked before: commands of one caller keep their order (law 9).
  const args = hasMovingIds(command) ? await concreteIds(command, lease, host) : command.args;
  if (args === undefined) return isCancelled() ? null : send(command.args);
  // Whoever goes on elsewhere goes on from here.
  command.args = args;
  let leftMs = Math.min(sliceMs, Math.max(1, Math.ceil(ownMs)));
  while (leftMs > 0 && !isCancelled()) {
    const answer = send(withBlockingTimeout(command, args, leftMs));
    const sent = lease.newest;
    const isNext = (): boolean => lease.oldest === sent;
    const value = await unlessSilent(answer, { lease, host, isNext, limitMs: leftMs + host.stallMs });
    if (value !== null) return value;
    leftMs = Math.min(sliceMs, Math.ceil(endsAt - performance.now()));
  }
  return null;
}

export interface SlicedWaitOptions {
  readonly sliceMs: number;
  readonly host: SlicingHost;
  send(args: CommandArgument[]): Promise<unknown>;
  isCancelled(): boolean;
}

function concreteIds(
  command: PoolCommand,
  lease: LeaseConnection,
  host: SlicingHost,
): Promise<CommandArgument[] | undefined> {
  const isAlone = lease.inFlight === 0;
  const isNext = (): boolean => isAlone;
  return unlessSilent(withConcreteIds(command, lease), { lease, host, isNext, limitMs: host.stallMs });
}

interface Silence {
  readonly lease: LeaseConnection;
  readonly host: SlicingHost;
  readonly limitMs: number;
  /** Whether what the server owes next is this answer: what comes before it may take longer. */
  isNext(): boolean;
}

/** Has the connection ended when the answer does not come within the limit, unless nobody wants to know. */
async function unlessSilent<T>(answer: Promise<T>, { lease, host, limitMs, isNext }: Silence): Promise<T> {
  if (host.longSliceMs === Number.POSITIVE_INFINITY) return answer;
  const sentAt = performance.now();
  let callOff: () => void = () => {};
  const look = (): void => {
    const nextSince = isNext() ? Math.max(sentAt, lease.answeredAt) : performance.now();
    const leftMs = limitMs - (performance.now() - nextSince);
    if (leftMs <= 0) host.silent(lease.connection, limitMs);
    else callOff = fairTimeout(Math.ceil(leftMs), look);
  };
  look();
  try {
    return await answer;
  } finally {
    callOff();
  }
}
