import type { CommandArgument, PoolCommand } from './command.js';
import { blockOptionAt } from './routing.js';

/** Where a command that waits at the server has its timeout among its arguments, and in which unit. */
interface TimeoutPlace {
  readonly index: number;
  readonly unitMs: number;
}

const SECONDS = 1_000;

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
  return Number.isFinite(value) && value >= 0 ? value * unitMs : undefined;
}

/** The same arguments with another timeout. */
export function withBlockingTimeout(
  command: PoolCommand,
  args: readonly CommandArgument[],
  timeoutMs: number,
): CommandArgument[] {
  const { index, unitMs } = placeOf(command);
  const changed = [...args];
  changed[index] = `${timeoutMs / unitMs}`;
  return changed;
}
