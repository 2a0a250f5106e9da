import type { PoolCommand } from '../commands/command.js';
import { type CommandClass, refusalHint, subcommandOf } from '../commands/routing.js';
import { RedisPoolError } from './errors.js';

/** The error for a command that may not run on a shared connection, or on a lease; it names what to use instead. */
export function statefulCommandError(
  command: PoolCommand,
  commandClass: CommandClass,
  where = 'a shared connection',
): RedisPoolError {
  const subcommand = subcommandOf(command.profile, command.args);
  const name = [command.profile.name, subcommand].filter(Boolean).join(' ').toUpperCase();
  const hint = refusalHint(command.profile.name, commandClass, subcommand);
  return new RedisPoolError('RP_ERR_STATEFUL_COMMAND', `${name} cannot run on ${where}: ${hint}`, {
    maybeExecuted: false,
  });
}
