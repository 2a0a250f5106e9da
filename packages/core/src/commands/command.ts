import { Command } from 'ioredis';
import type { Waiting } from '../errors/time-spent.js';
import type { Affinity } from '../lanes/affinity.js';
import { encode } from './encode-command.js';
import type { CommandProfile } from './routing.js';
import { replyTransformers } from './transformers.js';

/** How the strings of a reply come back: as JavaScript strings, or as Buffers (`getBuffer` and its like). */
export type ReplyEncoding = 'utf8' | null;

export type CommandArgument = string | Buffer;

/** Whoever has the command on the wire hears of its answer, in the order in which it sent. */
export interface CommandOwner {
  replied(command: PoolCommand, reply: unknown): void;
  refused(command: PoolCommand, error: Error): void;
  /** What an unanswered command is waiting for. */
  waiting(command: PoolCommand): Waiting;
}

/** Counts the commands whose outcome somebody waits for. */
export interface Awaiting {
  /** Nobody waits for this command any more, and its answer has not come. */
  forsaken(): void;
}

/**
 * A set of commands that stand or fall together (a pipeline, a MULTI block): after a lost connection none of
 * them is sent again unless none of them was sent.
 */
export interface Batch {
  readonly first: PoolCommand;
  /** The command whose arrival makes the batch take effect: EXEC of a transaction, else the first. */
  readonly decisive: PoolCommand;
}

/** Node-style callback of the caller, last argument of any command. */
export type Callback = (error: unknown, value?: unknown) => void;

let takeResolve: (value: unknown) => void;
let takeReject: (error: unknown) => void;
// One executor for all promises instead of two closures per command; both variables are read right after.
function take(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  takeResolve = resolve;
  takeReject = reject;
}

/**
 * One command of one caller, in the shape that ioredis's `sendCommand()` takes.
 *
 * Its prototype chain holds `Command.prototype` (so `instanceof Command` and every cold method work) but the
 * constructor of `Command` never runs: that alone is half of the cost of a command.
 */
export class PoolCommand {
  name: string;
  readonly profile: CommandProfile;
  args: CommandArgument[];
  readonly replyEncoding: ReplyEncoding;
  /** Size of the arguments, in characters or bytes, and of the command itself: what `maxPending.bytes` counts. */
  readonly bytes: number;
  promise: Promise<unknown> | undefined = undefined;
  settled = false;
  /** Whether it settled with what the server answered, be that an error, and not for want of an answer. */
  answered = false;
  /** When the caller called, on the clock of `performance.now()`. */
  startedAt = 0;
  deadline = 0;
  /** Its number in the order of writes of its connection; 0 while it was never handed to one. */
  writeNumber = 0;
  /** How often a lost connection may still lead to sending it again; reads only. */
  resendsLeft = 0;
  owner: CommandOwner | undefined = undefined;
  /** Where it counts, while it does, as one that somebody waits for. */
  awaiting: Awaiting | undefined = undefined;
  affinity: Affinity | undefined = undefined;
  /** On a cluster: of its keys. Below 0: not known (yet). */
  slot = -1;
  /** On a cluster: whether a replica may answer, if it only reads. */
  prefersReplica = false;
  /** On a cluster: how often a node has sent it elsewhere. */
  redirections = 0;
  batch: Batch | undefined = undefined;
  callback: Callback | undefined = undefined;
  next: PoolCommand | undefined = undefined;
  // What ioredis reads or writes on a command.
  isTraced = false;
  inTransaction = false;
  readonly pipelineIndex: undefined;
  readonly ignore: undefined;
  protocol = 2;
  replyMapping = 'legacy';
  onFulfilled: (value: unknown) => void = noop;
  onRejected: (error: unknown) => void = noop;

  constructor(
    name: string,
    profile: CommandProfile,
    args: CommandArgument[],
    bytes: number,
    replyEncoding: ReplyEncoding,
  ) {
    this.name = name;
    this.profile = profile;
    this.args = args;
    this.bytes = bytes;
    this.replyEncoding = replyEncoding;
  }

  get isReadOnly(): boolean {
    return this.profile.readOnly;
  }

  /** Gives the command a promise of its own; pipelines listen through `onFulfilled` and `onRejected` instead. */
  createPromise(): Promise<unknown> {
    const promise = new Promise(take);
    this.onFulfilled = takeResolve;
    this.onRejected = takeReject;
    this.promise = promise;
    return promise;
  }

  /**
   * Gives it what wrappers of `sendCommand()` use on the commands of ioredis itself: a promise, also for one in a
   * chain, and a `resolve` and `reject` that they may call without the object (OpenTelemetry and Sentry do).
   */
  makeTraceable(): void {
    this.resolve = (reply) => PoolCommand.prototype.resolve.call(this, reply);
    this.reject = (error) => PoolCommand.prototype.reject.call(this, error);
    if (this.promise !== undefined) return;
    const { onFulfilled, onRejected } = this;
    this.createPromise().catch(noop);
    const { onFulfilled: resolve, onRejected: reject } = this;
    this.onFulfilled = (value) => {
      resolve(value);
      onFulfilled(value);
    };
    this.onRejected = (error) => {
      reject(error);
      onRejected(error);
    };
  }

  setReplyContext(context: { protocol?: number; replyMapping?: string } | null | undefined): void {
    this.protocol = context?.protocol ?? 2;
    this.replyMapping = context?.replyMapping ?? 'legacy';
  }

  /** Repeatable: a read that is sent again is encoded again. */
  toWritable(_socket: unknown): string | Buffer {
    return encode(this.name, this.args);
  }

  /** Called by ioredis, or by the lane's own reader, with the reply to this very command. */
  resolve(reply: unknown): void {
    this.owner?.replied(this, reply);
  }

  /**
   * Called by ioredis. An error reply answers the command, and so does a reply that is longer than any string can
   * be. Anything else says that the connection is going, and whoever owns the connection settles what is in flight
   * on it, once and in order, when it is gone.
   */
  reject(error: Error): void {
    const answers = error.name === 'ReplyError' || ('code' in error && error.code === 'ERR_STRING_TOO_LONG');
    if (answers) this.owner?.refused(this, error);
  }

  /** Whether this error reply means that the command, now changed, goes once more: see {@link ScriptCommand}. */
  retryAfter(_error: Error): boolean {
    return false;
  }

  /** Settles with the reply. `decoded`: the strings in it already have the caller's encoding. */
  fulfil(reply: unknown, decoded: boolean): void {
    if (this.settled) return;
    this.settled = true;
    this.answered = true;
    let value: unknown;
    try {
      value = this.convert(reply, decoded);
    } catch (error) {
      // A transformer set by the user threw.
      this.onRejected(error);
      return;
    }
    this.onFulfilled(value);
  }

  /** Settles with a value that was converted already. */
  adopt(value: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.onFulfilled(value);
  }

  /** Settles with the error that the server answered. */
  refuse(error: Error): void {
    if (!this.settled) this.answered = true;
    this.fail(error);
  }

  /** Settles without an answer. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    this.onRejected(error);
    // Not before: what listens may send the same again, and the pool must not seem idle in between.
    this.forsake();
  }

  /** Nobody waits for it any more; its answer is still to come, or never will. */
  forsake(): void {
    const { awaiting } = this;
    this.awaiting = undefined;
    awaiting?.forsaken();
  }

  convert(reply: unknown, decoded: boolean): unknown {
    if (!decoded || replyTransformers === undefined) return inheritedTransformReply.call(this, reply);
    const transformer = replyTransformers[this.name];
    if (transformer === undefined) return reply;
    const { name: commandName, protocol, replyMapping } = this;
    return transformer(reply, { commandName, protocol, replyMapping });
  }
}

const inheritedTransformReply = (Command.prototype as unknown as { transformReply(reply: unknown): unknown })
  .transformReply;
Object.setPrototypeOf(PoolCommand.prototype, Command.prototype);

function noop(): void {}
