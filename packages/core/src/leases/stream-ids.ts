import type { CommandArgument, PoolCommand } from '../commands/command.js';
import type { LeaseConnection } from './lease-connection.js';

/**
 * The arguments of a command with each `$` of an XREAD replaced by the last ID of its stream: asked again and again,
 * `$` would pass over what was added in between. `undefined` where the server does not tell that ID.
 */
export async function withConcreteIds(
  command: PoolCommand,
  lease: LeaseConnection,
): Promise<CommandArgument[] | undefined> {
  const args = [...command.args];
  if (command.profile.name !== 'xread') return args;
  const streams = args.findIndex((argument) => argument.toString().toLowerCase() === 'streams');
  const count = (args.length - streams - 1) / 2;
  for (let index = 0; index < count; index += 1) {
    const at = streams + 1 + count + index;
    if (args[at]?.toString() !== '$') continue;
    const id = await lastIdOf(args[streams + 1 + index] as CommandArgument, lease);
    if (id === undefined) return undefined;
    args[at] = id;
  }
  return args;
}

async function lastIdOf(key: CommandArgument, lease: LeaseConnection): Promise<string | undefined> {
  try {
    const entries = await lease.connection.redis.xrevrange(key, '+', '-', 'COUNT', 1);
    // No stream, or none of its entries left: whatever comes is new.
    return entries[0]?.[0] ?? '0-0';
  } catch {
    // A wrong type, which the command itself will report, or a user who may not ask.
    return undefined;
  }
}
