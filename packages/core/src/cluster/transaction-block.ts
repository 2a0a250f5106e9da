import { PoolCommand } from '../commands/command.js';
import type { Affinity } from '../lanes/affinity.js';
import { redirectionOf } from './redirection.js';

/** What a block needs of its cluster. */
export interface BlockHost {
  /** Accepts the commands of a block and sends them in one piece; `why`: what a node said that ran nothing of it. */
  sendBlock(block: TransactionBlock, commands: readonly PoolCommand[], why?: Error): void;
  /** Whether it may be sent again; if not, it has failed. */
  mayGoOn(block: TransactionBlock, why: Error): boolean;
}

/**
 * MULTI to EXEC on a cluster. A node that does not have the slot (any more) refuses a part of the block, EXEC then runs
 * nothing, and the whole goes again to another node. So what is sent are copies, and the caller's commands are settled
 * when EXEC is answered.
 */
export class TransactionBlock {
  readonly slot: number;
  readonly affinity: Affinity | undefined;
  redirections = 0;
  readonly #originals: readonly PoolCommand[];
  readonly #host: BlockHost;
  #copies: readonly BlockCommand[] = [];
  #outcomes: (() => void)[] = [];
  #redirection: Error | undefined;

  constructor(
    originals: readonly PoolCommand[],
    { slot, affinity }: { readonly slot: number; readonly affinity: Affinity | undefined },
    host: BlockHost,
  ) {
    this.#originals = originals;
    this.slot = slot;
    this.affinity = affinity;
    this.#host = host;
    const closing = originals.at(-1) as PoolCommand;
    const { onRejected } = closing;
    closing.onRejected = (error) => {
      this.#abandon();
      onRejected(error);
    };
  }

  send(why?: Error): void {
    this.#outcomes = [];
    this.#redirection = undefined;
    this.#copies = this.#originals.map((original, index) => this.#copy(original, index));
    const batch = { first: this.#copies[0] as PoolCommand, decisive: this.#copies.at(-1) as PoolCommand };
    for (const copy of this.#copies) copy.batch = batch;
    this.#host.sendBlock(this, this.#copies, why);
  }

  fail(error: unknown): void {
    for (const original of this.#originals) original.fail(error);
  }

  #copy(original: PoolCommand, index: number): BlockCommand {
    const copy = new BlockCommand(original, this.slot);
    copy.redirections = this.redirections;
    copy.onFulfilled = (value) => this.#answered(index, () => original.adopt(value));
    copy.onRejected = (error) => {
      if (copy.answered) this.#refused(index, error as Error);
      // Without an answer to one of them the outcome of all is open.
      else this.fail(error);
    };
    return copy;
  }

  #refused(index: number, error: Error): void {
    if (redirectionOf(error) !== undefined) this.#redirection ??= error;
    const isLast = index === this.#originals.length - 1;
    // Nothing ran: EXEC says so because of a command before it, or for itself.
    if (isLast && this.#redirection !== undefined) {
      if (this.#host.mayGoOn(this, this.#redirection)) this.send(this.#redirection);
    } else this.#answered(index, () => this.#originals[index]?.refuse(error));
  }

  #answered(index: number, outcome: () => void): void {
    this.#outcomes.push(outcome);
    if (index < this.#originals.length - 1) return;
    for (const settle of this.#outcomes) settle();
  }

  /** Its caller has an error: nobody waits for the rest, and what was not sent yet never is. */
  #abandon(): void {
    for (const copy of this.#copies) copy.forsake();
    if (this.#copies.some(({ owner, writeNumber }) => owner !== undefined || writeNumber !== 0)) return;
    for (const copy of this.#copies) copy.settled = true;
  }
}

/** One command of a block, on its way for the one that the caller knows. */
export class BlockCommand extends PoolCommand {
  readonly #original: PoolCommand;

  constructor(original: PoolCommand, slot: number) {
    const { name, profile, args, bytes, replyEncoding } = original;
    super(name, profile, args, bytes, replyEncoding);
    this.#original = original;
    this.slot = slot;
    this.startedAt = original.startedAt;
    this.inTransaction = original.inTransaction;
  }

  override toWritable(socket: unknown): string | Buffer {
    // From now on it counts as sent for whoever may want to give it up.
    this.#original.owner = this.owner;
    return super.toWritable(socket);
  }
}
