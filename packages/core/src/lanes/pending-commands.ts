import type { Awaiting, PoolCommand } from '../commands/command.js';
import type { Counters } from '../counters.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Affinity } from './affinity.js';

/** Why commands were refused, and the state of things that it speaks of. */
interface Refused {
  readonly commands: number;
  readonly bytes: number;
  readonly tooMany: boolean;
  readonly reason: string;
}

/** What was accepted for the lanes and is not yet answered or dropped, counted against `maxPending`. */
export class PendingCommands implements Awaiting {
  readonly #options: ResolvedOptions;
  readonly #counters: Counters;
  readonly #onNoneAwaited: () => void;
  #commands = 0;
  #bytes = 0;
  #awaited = 0;
  /** A bound that is reached refuses a great many calls, one like the other: their text is made once. */
  #refused: Refused = { commands: 0, bytes: 0, tooMany: false, reason: '' };

  /** `onNoneAwaited` is called each time that nobody waits any more for what is pending, if anything is. */
  constructor(options: ResolvedOptions, counters: Counters, onNoneAwaited: () => void) {
    this.#options = options;
    this.#counters = counters;
    this.#onNoneAwaited = onNoneAwaited;
  }

  get commands(): number {
    return this.#commands;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Of the commands, those that somebody waits for: not timed out, not aborted, and not the pool's own. */
  get awaited(): number {
    return this.#awaited;
  }

  /** Accepts a command of a caller, whose promise or listener is in place: from now on its time runs. */
  accept(command: PoolCommand, affinity: Affinity | undefined): void {
    this.add(command);
    if (!command.settled) {
      command.awaiting = this;
      this.#awaited += 1;
    }
    this.#counters.commands += 1;
    if (command.startedAt === 0) command.startedAt = performance.now();
    command.deadline = command.startedAt + this.#options.commandTimeoutMs;
    command.resendsLeft = this.#options.retryReads;
    if (affinity === undefined) return;
    command.affinity = affinity;
    affinity.unanswered += 1;
  }

  add(command: PoolCommand): void {
    this.#commands += 1;
    this.#bytes += command.bytes;
  }

  remove(command: PoolCommand): void {
    this.#commands -= 1;
    this.#bytes -= command.bytes;
    if (command.affinity !== undefined) command.affinity.unanswered -= 1;
    command.forsake();
  }

  forsaken(): void {
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#onNoneAwaited();
  }

  /** Why so much more may not be added, if so. */
  overflow(commands: number, bytes: number): string | undefined {
    const limits = this.#options.maxPending;
    const tooMany = this.#commands + commands > limits.commands;
    // A command that is larger than the bound by itself may pass when nothing else is pending.
    const tooLarge = this.#bytes + bytes > limits.bytes && this.#commands > 0;
    if (!tooMany && !tooLarge) return undefined;
    const isAsBefore = this.#refused.commands === this.#commands && this.#refused.bytes === this.#bytes;
    if (!isAsBefore || this.#refused.tooMany !== tooMany) this.#refused = this.#describe(tooMany);
    return this.#refused.reason;
  }

  #describe(tooMany: boolean): Refused {
    const [commands, bytes, limits] = [this.#commands, this.#bytes, this.#options.maxPending];
    const what = tooMany ? `commands ${limits.commands}` : `bytes ${limits.bytes}`;
    const state = `${commands} commands, ${bytes} bytes pending`;
    const reason = `takes no more commands: maxPending.${what} is reached (${state})`;
    return { commands, bytes, tooMany, reason };
  }
}
