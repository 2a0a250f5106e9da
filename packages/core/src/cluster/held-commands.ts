import type { PoolCommand } from '../commands/command.js';
import { CommandQueue } from '../commands/command-queue.js';
import { DeadlineSweep } from '../commands/deadline-sweep.js';
import { SLOT_COUNT } from './key-slot.js';

/** What becomes of commands that cannot be sent anywhere at the moment. */
export interface HeldHost {
  /** Its deadline has passed. `why`: what a node answered to it last, if it was sent. */
  expired(command: PoolCommand, why: Error | undefined): void;
  /** It is settled; nothing waits for it any more. */
  done(command: PoolCommand): void;
  timerRan(dueAt: number, now: number): void;
}

/**
 * Slots whose commands have to wait, and those commands. A slot may be closed for several reasons, and is open again
 * when all of them are gone.
 *
 * Of one slot those that a node has refused come before those that were never sent: they are older.
 */
export class HeldCommands {
  readonly #closed = new Uint16Array(SLOT_COUNT);
  readonly #refused: Held;
  readonly #fresh: Held;
  readonly #why = new WeakMap<PoolCommand, Error>();

  constructor(host: HeldHost) {
    const expired = (command: PoolCommand): void => host.expired(command, this.#why.get(command));
    this.#refused = new Held(host, expired);
    this.#fresh = new Held(host, expired);
  }

  get size(): number {
    return this.#refused.size + this.#fresh.size;
  }

  isClosed(slot: number): boolean {
    return this.#closed[slot] !== 0;
  }

  close(slot: number): void {
    this.#closed[slot] = (this.#closed[slot] as number) + 1;
  }

  open(slot: number): void {
    this.#closed[slot] = (this.#closed[slot] as number) - 1;
  }

  /** Of a command that was never sent, or whose connection was lost before. */
  hold(command: PoolCommand): void {
    this.#fresh.push(command);
  }

  /** Of a command that a node has refused to run; `why` as it said. */
  holdRefused(command: PoolCommand, why?: Error): void {
    if (why !== undefined) this.#why.set(command, why);
    this.#refused.push(command);
  }

  /** Takes out, in their order, the commands whose slots are open. */
  takeOpen(): PoolCommand[] {
    if (this.size === 0) return [];
    const isOpen = ({ slot }: PoolCommand): boolean => !this.isClosed(slot);
    return [...this.#refused.take(isOpen), ...this.#fresh.take(isOpen)];
  }

  takeAll(): PoolCommand[] {
    return [...this.#refused.take(() => true), ...this.#fresh.take(() => true)];
  }
}

class Held {
  readonly #host: HeldHost;
  readonly #queue = new CommandQueue();
  readonly #sweep: DeadlineSweep;

  constructor(host: HeldHost, expired: (command: PoolCommand) => void) {
    this.#host = host;
    this.#sweep = new DeadlineSweep(this.#queue, expired, {
      swept: () => this.#dropSettled(),
      timerRan: (dueAt, now) => host.timerRan(dueAt, now),
    });
  }

  get size(): number {
    return this.#queue.length;
  }

  push(command: PoolCommand): void {
    this.#queue.push(command);
    this.#sweep.arm(command.deadline);
  }

  take(isWanted: (command: PoolCommand) => boolean): PoolCommand[] {
    const taken: PoolCommand[] = [];
    for (const command of this.#queue.takeAll()) {
      if (command.settled) this.#host.done(command);
      else if (isWanted(command)) taken.push(command);
      else this.#queue.push(command);
    }
    if (this.#queue.length === 0) this.#sweep.disarm();
    return taken;
  }

  #dropSettled(): void {
    while (this.#queue.head?.settled) this.#host.done(this.#queue.shift() as PoolCommand);
  }
}
