import type { CommandArgument, PoolCommand } from '../commands/command.js';
import type { LeaseConnection } from './lease-connection.js';

/** IDs that mean another entry each time: the last one of the stream at that moment. */
const MOVING: ReadonlySet<string> = new Set(['$', '+']);

/** Whether it would be another question if it was asked again. */
export function hasMovingIds({ profile, args }: PoolCommand): boolean {
  return profile.name === 'xread' && idsOf(args).some((id) => MOVING.has(id.toString()));
}

/** Whether it changes nothing, and gets the same whenever it is asked. */
export function isRepeatableRead(command: PoolCommand): boolean {
  return command.profile.name === 'xread' && !hasMovingIds(command);
}

/**
 * The arguments of an XREAD with each `$` replaced by the last ID of its stream: asked again and again,
 * `$` would pass over what was added in between. `undefined` where the server does not tell that ID.
 */
export async function withConcreteIds(
  command: PoolCommand,
  lease: LeaseConnection,
): Promise<CommandArgument[] | undefined> {
  const args = [...command.args];
  const ids = idsOf(args);
  const firstId = args.length - ids.length;
  for (const [index, id] of ids.entries()) {
    // Asked for the last entry, and again later, it would pass over those in between.
    if (id.toString() === '+') return undefined;
    if (id.toString() !== '$') continue;
    const lastId = await lastIdOf(args[firstId - ids.length + index] as CommandArgument, lease);
    if (lastId === undefined) return undefined;
    args[firstId + index] = lastId;
  }
  return args;
}

/** As many as there are streams, behind them. */
function idsOf(args: readonly CommandArgument[]): readonly CommandArgument[] {
  const streams = args.findIndex((argument) => argument.toString().toLowerCase() === 'streams');
  return args.slice(args.length - Math.floor((args.length - streams - 1) / 2));
}

async function lastIdOf(key: CommandArgument, lease: LeaseConnection): Promise<string | undefined> {
  try {
    // In capitals, so that no transformer of the user's changes what comes.
    const reply = await lease.connection.redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1);
    const entries = reply as [id: string, fields: string[]][];
    // No stream, or none of its entries left: whatever comes is new.
    return entries[0]?.[0] ?? '0-0';
  } catch {
    // A wrong type, which the command itself will report, or a user who may not ask.
    return undefined;
  }
}
