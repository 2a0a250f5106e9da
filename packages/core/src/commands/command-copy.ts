import { type CommandArgument, PoolCommand } from './command.js';

/** Asks for another command, which converts the reply: what a transformer makes of an empty one may be anything. */
export class CommandCopy extends PoolCommand {
  readonly #original: PoolCommand;

  constructor(original: PoolCommand, args: CommandArgument[]) {
    const { name, profile, bytes, replyEncoding } = original;
    super(name, profile, args, bytes, replyEncoding);
    this.#original = original;
  }

  override setReplyContext(context: Parameters<PoolCommand['setReplyContext']>[0]): void {
    this.#original.setReplyContext(context);
  }

  override convert(reply: unknown): unknown {
    return reply;
  }
}
