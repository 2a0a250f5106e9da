import type { PoolCommand } from './command.js';

/** FIFO of commands, linked through the commands themselves: nothing is allocated to wait in it. */
export class CommandQueue {
  head: PoolCommand | undefined = undefined;
  length = 0;
  #tail: PoolCommand | undefined = undefined;

  push(command: PoolCommand): void {
    if (this.#tail === undefined) this.head = command;
    else this.#tail.next = command;
    this.#tail = command;
    this.length += 1;
  }

  get tail(): PoolCommand | undefined {
    return this.#tail;
  }

  shift(): PoolCommand | undefined {
    const command = this.head;
    if (command === undefined) return undefined;
    this.head = command.next;
    if (this.head === undefined) this.#tail = undefined;
    command.next = undefined;
    this.length -= 1;
    return command;
  }

  /** Puts a command behind another one that is in the queue, or in front of all. */
  insertAfter(previous: PoolCommand | undefined, command: PoolCommand): void {
    if (previous === undefined) {
      this.prepend([command]);
      return;
    }
    command.next = previous.next;
    previous.next = command;
    if (this.#tail === previous) this.#tail = command;
    this.length += 1;
  }

  /** Empties the queue; the commands come in their order. */
  takeAll(): PoolCommand[] {
    const commands: PoolCommand[] = [];
    for (let command = this.shift(); command !== undefined; command = this.shift()) commands.push(command);
    return commands;
  }

  /** Puts commands, in their order, in front of all others. */
  prepend(commands: readonly PoolCommand[]): void {
    for (let index = commands.length - 1; index >= 0; index -= 1) {
      const command = commands[index] as PoolCommand;
      command.next = this.head;
      this.head = command;
      this.#tail ??= command;
      this.length += 1;
    }
  }
}
