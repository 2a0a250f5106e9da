import { createHash } from 'node:crypto';
import type { ScriptDefinition } from '../options/options.js';
import { type CommandArgument, PoolCommand, type ReplyEncoding } from './command.js';
import { createCommand } from './create-command.js';
import { type CommandProfile, profileOf } from './routing.js';

const EVAL = profileOf('eval');
const EVAL_READ_ONLY: CommandProfile = { ...EVAL, readOnly: true };

/** A Lua script that is a command: sent once per connection as EVAL, then by its digest. */
export class Script {
  readonly lua: string;
  readonly sha: string;
  readonly #numberOfKeys: number | undefined;
  readonly #profile: CommandProfile;
  readonly #knownTo = new WeakSet<object>();

  constructor(definition: ScriptDefinition) {
    this.lua = definition.lua;
    this.sha = createHash('sha1').update(definition.lua).digest('hex');
    this.#numberOfKeys = definition.numberOfKeys;
    this.#profile = definition.readOnly === true ? EVAL_READ_ONLY : EVAL;
  }

  createCommand(args: unknown[], encoding: ReplyEncoding, keyPrefix: string | undefined): ScriptCommand {
    const all = this.#numberOfKeys === undefined ? args : [this.#numberOfKeys, ...args];
    const plain = createCommand('evalsha', this.#profile, [this.sha, ...all], encoding, keyPrefix);
    return new ScriptCommand(this, plain);
  }

  isKnownTo(socket: object): boolean {
    return this.#knownTo.has(socket);
  }

  markKnownTo(socket: object): void {
    this.#knownTo.add(socket);
  }

  forget(socket: object): void {
    this.#knownTo.delete(socket);
  }
}

/**
 * One call of a script. The first one on a connection carries the source, so that nothing has to be asked before;
 * after a SCRIPT FLUSH the server answers NOSCRIPT, having run nothing, and the call goes once more with it.
 */
export class ScriptCommand extends PoolCommand {
  readonly #script: Script;
  readonly #bySha: CommandArgument[];
  readonly #bySource: CommandArgument[];
  #socket: object | undefined;
  #wantsSource = false;
  #fellBack = false;

  constructor(script: Script, plain: PoolCommand) {
    super(plain.name, plain.profile, plain.args, plain.bytes, plain.replyEncoding);
    this.#script = script;
    this.#bySha = plain.args;
    this.#bySource = [script.lua, ...plain.args.slice(1)];
  }

  /** Inside MULTI there is no second try: the source goes along each time. */
  sendSource(): void {
    this.#wantsSource = true;
    this.name = 'eval';
    this.args = this.#bySource;
  }

  override toWritable(socket: object): string | Buffer {
    this.#socket = socket;
    const bySource = this.#wantsSource || !this.#script.isKnownTo(socket);
    this.#script.markKnownTo(socket);
    this.name = bySource ? 'eval' : 'evalsha';
    this.args = bySource ? this.#bySource : this.#bySha;
    return super.toWritable(socket);
  }

  override retryAfter(error: Error): boolean {
    if (this.#fellBack || this.inTransaction || !error.message.startsWith('NOSCRIPT')) return false;
    this.#fellBack = true;
    this.#wantsSource = true;
    if (this.#socket !== undefined) this.#script.forget(this.#socket);
    return true;
  }
}
