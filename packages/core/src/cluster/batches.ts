import type { Batch, PoolCommand } from '../commands/command.js';
import { isRedisPoolError, RedisPoolError } from '../errors/errors.js';
import type { ClusterNode } from './cluster-node.js';
import { slotOfAll } from './command-slot.js';

/** A chain as it is sent: single commands, and transactions that stay whole. */
export type Segment =
  | { readonly kind: 'command'; readonly command: PoolCommand }
  | { readonly kind: 'transaction'; readonly commands: readonly PoolCommand[] };

/** Divides a chain; every MULTI in it has its EXEC or DISCARD. */
export function segmentsOf(commands: readonly PoolCommand[]): readonly Segment[] {
  const segments: Segment[] = [];
  for (let index = 0; index < commands.length; index += 1) {
    const command = commands[index] as PoolCommand;
    if (command.profile.name !== 'multi') {
      segments.push({ kind: 'command', command });
      continue;
    }
    const start = index;
    while (index < commands.length - 1 && !isClosing(commands[index] as PoolCommand)) index += 1;
    segments.push({ kind: 'transaction', commands: commands.slice(start, index + 1) });
  }
  return segments;
}

/** The parts of a chain that go to one node each, with their slots; a transaction stays whole. */
export function groupBySlot(commands: readonly PoolCommand[]): readonly (readonly [number, PoolCommand[]])[] {
  const groups = new Map<number, PoolCommand[]>();
  for (const segment of segmentsOf(commands)) {
    const members = segment.kind === 'command' ? [segment.command] : segment.commands;
    const slot = slotOfAll(members);
    const group = groups.get(slot) ?? [];
    for (const member of members) group.push(member);
    groups.set(slot, group);
  }
  return [...groups];
}

function isClosing({ profile }: PoolCommand): boolean {
  return profile.name === 'exec' || profile.name === 'discard';
}

/**
 * Has commands stand or fall with those of their chain that go to the same node, and with no others: in which order
 * they were written says something on one connection only.
 */
export function groupByNode(
  commands: readonly PoolCommand[],
  nodeOf: (command: PoolCommand) => ClusterNode | undefined,
): void {
  const groups = new Map<Batch, Map<ClusterNode | undefined, Batch>>();
  for (const command of commands) {
    if (command.batch === undefined) continue;
    const byNode = groups.get(command.batch) ?? new Map<ClusterNode | undefined, Batch>();
    groups.set(command.batch, byNode);
    const node = nodeOf(command);
    const batch = byNode.get(node) ?? { first: command, decisive: command };
    byNode.set(node, batch);
    command.batch = batch;
  }
}

/**
 * Makes the error that ends a chain over several nodes speak of the whole chain: the server that failed may not have
 * seen its part, while the others ran theirs. `ended` is told once, of the error that ends it.
 */
export function failAsOne(
  commands: readonly PoolCommand[],
  ended: (error: unknown) => void = () => {},
): void {
  let didOthersRun: boolean | undefined;
  for (const command of commands) {
    const { onRejected } = command;
    command.onRejected = (error) => {
      if (command.answered) {
        onRejected(error);
        return;
      }
      const isFirst = didOthersRun === undefined;
      didOthersRun ??= commands.some((other) => other !== command && (other.answered || other.owner));
      onRejected(didOthersRun ? asMaybeExecuted(error) : error);
      if (isFirst) ended(error);
    };
  }
}

/** Fails what was not sent yet, and from then on never is: its chain has ended, and said what may have run. */
export function dropUnsent(commands: readonly PoolCommand[], error: unknown): void {
  for (const command of commands) if (command.owner === undefined) command.fail(error);
}

function asMaybeExecuted(error: unknown): unknown {
  if (!isRedisPoolError(error) || error.maybeExecuted !== false) return error;
  const message = `${error.message}; other nodes ran their part of the pipeline, or may have`;
  return new RedisPoolError(error.code, message, { cause: error.cause, maybeExecuted: true });
}
