import type { CommandArgument, PoolCommand } from './command.js';
import type { LeaseConnection } from './lease-connection.js';

/**
 * The arguments of a command with each `$` of an XREAD replaced by the last ID of its stream: asked again and again,
 * `$` would pass over what was added in between.
 */
export async function withConcreteIds(
  command: PoolCommand,
  lease: LeaseConnection,
): Promise<CommandArgument[]> {
  const args = [...command.args];
  if (command.profile.name !== 'xread') return args;
  const streams = args.findIndex((argument) => argument.toString().toLowerCase() === 'streams');
  const count = (args.length - streams - 1) / 2;
  for (let index = 0; index < count; index += 1) {
    const at = streams + 1 + count + index;
    if (args[at]?.toString() !== '$') continue;
    args[at] = await lastIdOf(args[streams + 1 + index] as CommandArgument, lease);
  }
  return args;
}

async function lastIdOf(key: CommandArgument, lease: LeaseConnection): Promise<string> {
  try {
    const entries = await lease.connection.redis.xrevrange(key, '+', '-', 'COUNT', 1);
    const info = entries.length === 0 ? undefined : entries[0]?.[0];
    return info ?? '0-0';
  } catch {
    // No stream: whatever comes is new. A wrong type is what the command itself will report.
    return '0-0';
  }
}
