import type { PoolCommand } from '../commands/command.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Affinity } from './affinity.js';

/** What was accepted for the lanes and is not yet answered or dropped, counted against `maxPending`. */
export class PendingCommands {
  readonly #limits: ResolvedOptions['maxPending'];
  readonly #onNone: () => void;
  #commands = 0;
  #bytes = 0;

  /** `onNone` is called each time that nothing is pending any more. */
  constructor(limits: ResolvedOptions['maxPending'], onNone: () => void) {
    this.#limits = limits;
    this.#onNone = onNone;
  }

  get commands(): number {
    return this.#commands;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(command: PoolCommand, affinity: Affinity | undefined): void {
    this.#commands += 1;
    this.#bytes += command.bytes;
    if (affinity === undefined) return;
    command.affinity = affinity;
    affinity.unanswered += 1;
  }

  remove(command: PoolCommand): void {
    this.#commands -= 1;
    this.#bytes -= command.bytes;
    if (command.affinity !== undefined) command.affinity.unanswered -= 1;
    if (this.#commands === 0) this.#onNone();
  }

  /** Why so much more may not be added, if so. */
  overflow(commands: number, bytes: number): string | undefined {
    const tooMany = this.#commands + commands > this.#limits.commands;
    // A command that is larger than the bound by itself may pass when nothing else is pending.
    const tooLarge = this.#bytes + bytes > this.#limits.bytes && this.#commands > 0;
    if (!tooMany && !tooLarge) return undefined;
    const what = tooMany ? `commands ${this.#limits.commands}` : `bytes ${this.#limits.bytes}`;
    const state = `${this.#commands} commands, ${this.#bytes} bytes pending`;
    return `takes no more commands: maxPending.${what} is reached (${state})`;
  }
}
