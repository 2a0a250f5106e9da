import type { CommandArgument, PoolCommand } from '../commands/command.js';
import { blockOptionAt, classify } from '../commands/routing.js';

/** Where a command that waits at the server has its timeout among its arguments, and in which unit. */
interface TimeoutPlace {
  readonly index: number;
  readonly unitMs: number;
}

const SECONDS = 1_000;
/** Longer times do not fit into a timer: nobody sees their end. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Where the timeout of such a command stands; a missing one is an error that the server reports, at once. */
function placeOf({ profile, args }: PoolCommand): TimeoutPlace {
  switch (profile.name) {
    case 'blmpop':
    case 'bzmpop':
      return { index: 0, unitMs: SECONDS };
    case 'blmovem':
      return { index: 4, unitMs: SECONDS };
    case 'xread':
    case 'xreadgroup':
      return { index: blockOptionAt(args) + 1, unitMs: 1 };
    case 'wait':
    case 'waitaof':
      return { index: args.length - 1, unitMs: 1 };
    default:
      return { index: args.length - 1, unitMs: SECONDS };
  }
}

/** How long the server may hold the command, ms; 0: for ever; `undefined`: not a number, the server refuses it. */
export function blockingTimeoutMs(command: PoolCommand): number | undefined {
  const { index, unitMs } = placeOf(command);
  const text = command.args[index]?.toString().trim();
  const value = text ? Number(text) : Number.NaN;
  const isTaken = unitMs === SECONDS ? Number.isFinite(value) : Number.isInteger(value);
  return isTaken && value >= 0 ? value * unitMs : undefined;
}

/**
 * `blocking`: waits at the server and may be told to stop. `replicas`: waits there for others to have the writes (WAIT,
 * WAITAOF), and is left to finish. Inside MULTI the server answers both at once.
 */
export function waitClassOf(command: PoolCommand): 'blocking' | 'replicas' | undefined {
  if (command.inTransaction) return undefined;
  const { name } = command.profile;
  if (name === 'wait' || name === 'waitaof') return 'replicas';
  return classify(command.profile, command.args) === 'blocking' ? 'blocking' : undefined;
}

/**
 * How long the server may hold commands that come one after another, ms; 0: for ever; `undefined`: it answers all of
 * them at once.
 */
export function waitOf(commands: readonly PoolCommand[]): number | undefined {
  let sumMs: number | undefined;
  for (const command of commands) {
    const ownMs = waitClassOf(command) === undefined ? undefined : blockingTimeoutMs(command);
    if (ownMs === 0) return 0;
    if (ownMs !== undefined) sumMs = (sumMs ?? 0) + ownMs;
  }
  return sumMs;
}

/**
 * When to stop waiting for the reply of commands that the server may hold for `ownMs` together (0: for ever), ms from
 * now; `undefined`: never.
 */
export function waitLimitMs(ownMs: number | undefined, commandTimeoutMs: number): number | undefined {
  if (ownMs === 0) return undefined;
  const limitMs = (ownMs ?? 0) + commandTimeoutMs;
  return limitMs > LONGEST_TIMER_MS ? undefined : limitMs;
}

/** The same arguments with another timeout. Servers before 6.0 know whole seconds only: those stay whole, rounded up. */
export function withBlockingTimeout(
  command: PoolCommand,
  args: readonly CommandArgument[],
  timeoutMs: number,
): CommandArgument[] {
  const { index, unitMs } = placeOf(command);
  const wasWhole = unitMs === SECONDS && /^\s*\d+\s*$/.test(args[index]?.toString() ?? '');
  const value = timeoutMs / unitMs;
  const changed = [...args];
  changed[index] = `${wasWhole && value > 1 ? Math.ceil(value) : value}`;
  return changed;
}
