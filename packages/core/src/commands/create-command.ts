import { Command } from 'ioredis';
import { type CommandArgument, PoolCommand, type ReplyEncoding } from './command.js';
import type { CommandProfile } from './routing.js';
import { argumentTransformers } from './transformers.js';

// ioredis's own transformers touch objects and Maps only, so that plain strings may skip them.
const OBJECTS_ONLY = new Set(['msetArgumentTransformer', 'hsetArgumentTransformer']);

/**
 * What a command takes of the heap besides its arguments while it is pending, as measured: 750 for the object, its
 * promise and one listener, and 300 for an `async` function that awaits it. Counted in `maxPending.bytes`, so that the
 * bound is one of memory for small commands too.
 */
const COMMAND_BYTES = 1_050;

/**
 * Makes a command of what the caller passed: strings, numbers and Buffers as they are, everything else (arrays,
 * objects, Maps, transformers, a key prefix) exactly as ioredis makes of it.
 */
export function createCommand(
  name: string,
  profile: CommandProfile,
  args: unknown[],
  encoding: ReplyEncoding,
  keyPrefix: string | undefined,
): PoolCommand {
  if (keyPrefix === undefined) {
    const bytes = prepareInPlace(name, args);
    if (bytes >= 0) return new PoolCommand(name, profile, args as CommandArgument[], bytes, encoding);
    // `mget([...])`: ioredis flattens one level too.
    const flat = args.flat();
    const flatBytes = flat.length === args.length ? -1 : prepareInPlace(name, flat);
    if (flatBytes >= 0) return new PoolCommand(name, profile, flat as CommandArgument[], flatBytes, encoding);
  }
  const prepared = prepareLikeIoredis(name, args, keyPrefix);
  return new PoolCommand(name, profile, prepared, sizeOf(prepared), encoding);
}

/** Returns the size of the arguments, or -1 where ioredis's own code has to prepare them. */
function prepareInPlace(name: string, args: unknown[]): number {
  const transformer = argumentTransformers?.[name];
  if (
    argumentTransformers === undefined ||
    (transformer !== undefined && !OBJECTS_ONLY.has(transformer.name))
  ) {
    return -1;
  }
  let bytes = COMMAND_BYTES;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index];
    if (typeof argument === 'string') bytes += argument.length + 8;
    else if (typeof argument === 'number' && Math.abs(argument) <= Number.MAX_SAFE_INTEGER) {
      const text = String(argument);
      args[index] = text;
      bytes += text.length + 8;
    } else if (transformer === undefined && Buffer.isBuffer(argument)) bytes += argument.length + 8;
    else return -1;
  }
  return bytes;
}

function prepareLikeIoredis(name: string, args: unknown[], keyPrefix: string | undefined): CommandArgument[] {
  const options = keyPrefix === undefined ? {} : { keyPrefix };
  return new ArgumentPreparation(name, args, options).args;
}

interface Preparation {
  readonly name: string;
  args: CommandArgument[];
  initPromise(): void;
  stringifyArguments(): void;
}

const CommandWithPrivates = Command as unknown as new (
  name: string,
  args: unknown[],
  options: object,
) => Preparation;

/**
 * ioredis's own code for arguments, outside of the promise in which its constructor runs it: what a transformer
 * or a `toString()` throws would be an unhandled rejection there, and the command would go on half prepared.
 */
class ArgumentPreparation extends CommandWithPrivates {
  override initPromise(): void {
    if (argumentTransformers === undefined) {
      super.initPromise();
      return;
    }
    const transformer = argumentTransformers[this.name];
    if (transformer !== undefined) this.args = transformer(this.args) as CommandArgument[];
    this.stringifyArguments();
  }
}

function sizeOf(args: readonly CommandArgument[]): number {
  return args.reduce((sum, argument) => sum + argument.length + 8, COMMAND_BYTES);
}
