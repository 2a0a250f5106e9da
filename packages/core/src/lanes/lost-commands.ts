import type { PoolCommand } from '../commands/command.js';
import { isReadOnly } from '../commands/routing.js';
import type { Counters } from '../counters.js';
import type { LaneLoss } from './lane.js';

/** What becomes of the commands that a lost lane leaves. */
export interface LostCommandsHost {
  readonly counters: Counters;
  /** Whether anything may be sent again at all. */
  readonly maySendAgain: boolean;
  /** It is settled already; nothing waits for its answer any more. */
  done(command: PoolCommand): void;
  /** It ends here. */
  fail(command: PoolCommand, maybeExecuted: boolean, loss: LaneLoss): void;
}

/** Settles what a lost lane leaves and returns, in their order, the commands that go to another connection. */
export function takeSurvivors(
  commands: readonly PoolCommand[],
  loss: LaneLoss,
  host: LostCommandsHost,
): PoolCommand[] {
  const wasSent = (command: PoolCommand): boolean =>
    command.writeNumber !== 0 && command.writeNumber <= loss.lastWriteNumber;
  return commands.filter((command) => {
    if (command.settled) {
      host.done(command);
      return false;
    }
    if (!host.maySendAgain || !mayGoAgain(command, wasSent, host.counters)) {
      host.fail(command, mayHaveRun(command, wasSent), loss);
      return false;
    }
    // As if it had never been handed over: who gives it up now can say that it did not run.
    if (!wasSent(command)) command.owner = undefined;
    command.writeNumber = 0;
    return true;
  });
}

/** Law 2: what was put on the wire is not put there again, but for reads that stand alone. */
function mayGoAgain(
  command: PoolCommand,
  wasSent: (one: PoolCommand) => boolean,
  counters: Counters,
): boolean {
  // The first of its batch may be at another node of a cluster by now: then it says nothing about this one.
  if (command.batch !== undefined) return !wasSent(command) && !wasSent(command.batch.first);
  if (!wasSent(command)) return true;
  if (command.resendsLeft === 0 || !isReadOnly(command.profile, command.args)) return false;
  command.resendsLeft -= 1;
  counters.resends += 1;
  return true;
}

/** A transaction has when its EXEC was sent, any other batch from its first command on. */
function mayHaveRun(command: PoolCommand, wasSent: (one: PoolCommand) => boolean): boolean {
  const { first, decisive } = command.batch ?? { first: command, decisive: command };
  return wasSent(decisive) || (decisive === first && wasSent(command));
}
