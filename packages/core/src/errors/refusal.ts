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

const HASH_TAG_HINT =
  'each node of a cluster has only some slots: give keys that belong together one hash tag, such as {user:1}:name';

/** The error of a command on a cluster that no single node could run. The keys are not in it. */
export function crossSlotError(command: PoolCommand, why: string): RedisPoolError {
  return crossSlot(`${command.profile.name.toUpperCase()} ${why}, and ${HASH_TAG_HINT}`);
}

/** The same of a method. */
export function crossSlotKeysError(method: string): RedisPoolError {
  return crossSlot(`${method} has keys of several slots, and ${HASH_TAG_HINT}`);
}

/** The error of a command on a cluster that is about every key there is. */
export function allKeysError({ profile }: PoolCommand): RedisPoolError {
  const name = profile.name.toUpperCase();
  const hint = 'pool.scanStream() goes over all nodes; for a single one connect to it';
  return crossSlot(`${name} would be about the keys of one node of the cluster only: ${hint}`);
}

function crossSlot(message: string): RedisPoolError {
  return new RedisPoolError('RP_ERR_CROSS_SLOT', message, { maybeExecuted: false });
}
