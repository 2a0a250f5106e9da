import { RedisPoolError } from '../errors/errors.js';
import { crossSlotError, statefulCommandError } from '../errors/refusal.js';
import { withoutArguments } from '../errors/sanitize-error.js';
import { describeType, describeValue, invalidOption, isRecord, mustBe } from '../options/option-rules.js';
import { tell, tellCommand } from './callbacks.js';
import type { Callback, PoolCommand } from './command.js';
import type { PipelineResult } from './command-types.js';
import { createCommand } from './create-command.js';
import { CommandFacade, isCommandMethod } from './facade.js';
import { type CommandClass, classify, profileOf } from './routing.js';
import { ScriptCommand } from './script.js';
import type { ScriptRegistry } from './script-registry.js';

/** How a chain reaches the server. */
export interface PipelineHost {
  readonly keyPrefix: string | undefined;
  readonly scripts: ScriptRegistry;
  /** @throws RedisPoolError `RP_ERR_CROSS_SLOT` when no single server has all keys of the command */
  place(command: PoolCommand): void;
  /** Whether a command of this class may be part of a chain, outside of MULTI. */
  mayQueue(commandClass: CommandClass): boolean;
  /** Sends the commands in one piece, or fails them together. */
  submitBatch(commands: readonly PoolCommand[]): void;
}

type Results = PipelineResult[];

/** The chain behind `pipeline()` and `multi()`: queues commands, sends them in one piece, gathers the replies. */
export class PipelineChain extends CommandFacade {
  protected readonly keyPrefix: string | undefined;
  readonly #host: PipelineHost;
  readonly #commands: PoolCommand[] = [];
  readonly #results: Results = [];
  #inTransaction = false;
  /** Of the keys of the open transaction; below 0: it has none so far. */
  #transactionSlot = -1;
  #outcome: Promise<Results> | undefined;

  constructor(host: PipelineHost, batch: readonly unknown[] = []) {
    super();
    this.#host = host;
    this.keyPrefix = host.keyPrefix;
    host.scripts.each((name, script) => this.addScript(name, script));
    this.addEntries(batch);
  }

  get length(): number {
    return this.#commands.length;
  }

  multi(): this {
    this.#queue(createCommand('multi', profileOf('multi'), [], 'utf8', undefined));
    this.#inTransaction = true;
    return this;
  }

  /** Closes an open transaction and stays a chain; without one, sends the chain. */
  exec(callback?: Callback): this | Promise<Results | null> {
    if (this.#inTransaction) {
      this.#closeTransaction(execCommand());
      return this;
    }
    const results = this.#send();
    if (callback !== undefined) tell(results, callback);
    return results;
  }

  async execOrThrow(): Promise<unknown[]> {
    if (this.#inTransaction) this.#closeTransaction(execCommand());
    return repliesOrThrow(await this.#send());
  }

  protected override execute(command: PoolCommand): this {
    const commandClass = classify(command.profile, command.args);
    if (commandClass === 'transaction-state' && command.profile.name === 'discard' && this.#inTransaction) {
      this.#closeTransaction(command);
      return this;
    }
    // Inside MULTI the server answers a blocking command at once.
    const answersAtOnce = commandClass === 'blocking' && this.#inTransaction;
    if (!answersAtOnce && !this.#host.mayQueue(commandClass))
      throw statefulCommandError(command, commandClass);
    this.#queue(command);
    return this;
  }

  /** Sends the chain once; later calls get the same outcome. */
  #send(): Promise<Results> {
    if (this.#outcome !== undefined) return this.#outcome;
    this.#outcome = this.#commands.length === 0 ? Promise.resolve([]) : this.#dispatch();
    return this.#outcome;
  }

  #dispatch(): Promise<Results> {
    const commands = this.#commands;
    this.#markBatch();
    return new Promise((resolve, reject) => {
      let unanswered = commands.length;
      const settle = (index: number, result: PipelineResult): void => {
        this.#results[index] = result;
        unanswered -= 1;
        if (unanswered === 0) resolve(this.#results);
      };
      commands.forEach((command, index) => {
        command.onFulfilled = (value) => {
          if (command.profile.name === 'exec') this.#convertTransaction(index, value);
          tellCommand(command, null, value);
          settle(index, [null, value]);
        };
        command.onRejected = (error) => {
          tellCommand(command, error);
          // A lost connection, a passed deadline or an abort is no reply: it ends the whole chain.
          if (command.answered) settle(index, [error as Error] as unknown as PipelineResult);
          else reject(error);
        };
      });
      this.#host.submitBatch(commands);
    });
  }

  #markBatch(): void {
    const [first] = this.#commands as [PoolCommand];
    const last = this.#commands.at(-1) as PoolCommand;
    // MULTI ... EXEC takes effect with EXEC; anything else from its first command on.
    const isTransaction = first.profile.name === 'multi' && last.profile.name === 'exec';
    const batch = { first, decisive: isTransaction ? last : first };
    for (const command of this.#commands) command.batch = batch;
  }

  /** The reply to EXEC holds the raw replies of the commands before it; each is converted by its own command. */
  #convertTransaction(execIndex: number, replies: unknown): void {
    if (!Array.isArray(replies)) return;
    const firstIndex = execIndex - replies.length;
    for (let index = 0; index < replies.length; index += 1) {
      if (replies[index] instanceof Error) {
        withoutArguments(replies[index]);
        continue;
      }
      try {
        replies[index] = this.#commands[firstIndex + index]?.convert(replies[index], false);
      } catch (error) {
        replies[index] = error;
      }
    }
  }

  #closeTransaction(closing: PoolCommand): void {
    this.#inTransaction = false;
    this.#transactionSlot = -1;
    this.#queue(closing);
  }

  #queue(command: PoolCommand): void {
    if (this.#outcome !== undefined) {
      const name = command.profile.name.toUpperCase();
      throw invalidOption(`A pipeline takes no ${name} after its exec()`);
    }
    if (this.#inTransaction && command.profile.name === 'multi') {
      throw invalidOption(
        'A transaction takes no MULTI: Redis does not nest them, and its commands go on the one chain',
      );
    }
    this.#host.place(command);
    if (this.#inTransaction) this.#keepToOneSlot(command);
    command.inTransaction = this.#inTransaction;
    if (this.#inTransaction && command instanceof ScriptCommand) command.sendSource();
    this.#commands.push(command);
  }

  #keepToOneSlot(command: PoolCommand): void {
    if (command.slot < 0) return;
    if (this.#transactionSlot >= 0 && command.slot !== this.#transactionSlot) {
      throw crossSlotError(
        command,
        'has a key of another slot than the commands before it in the transaction',
      );
    }
    this.#transactionSlot = command.slot;
  }

  protected addEntries(batch: readonly unknown[]): void {
    // Whoever writes no types may pass anything.
    if (!Array.isArray(batch)) throw mustBe('commands', 'an array of commands', describeValue(batch));
    for (const [index, entry] of batch.entries()) this.#addEntry(entry, index);
  }

  #addEntry(entry: unknown, index: number): void {
    const [method, ...args] = Array.isArray(entry) ? entry : [];
    // Own ones are those of scripts.
    const isCommand = typeof method === 'string' && (isCommandMethod(method) || Object.hasOwn(this, method));
    const run = isCommand ? Reflect.get(this, method) : undefined;
    if (typeof run !== 'function') {
      const rule = 'an array of the name of a command and its arguments';
      // Not the value: what stands in it are arguments.
      const received = Array.isArray(entry) ? 'an array without the name of one' : describeType(entry);
      throw mustBe(`commands[${index}]`, rule, received);
    }
    run.apply(this, args);
  }
}

/** @throws RedisPoolError `RP_ERR_INVALID_OPTION` for what `multi()` cannot begin with */
export function checkBeginning(commands: unknown): void {
  if (commands === undefined || Array.isArray(commands) || isRecord(commands)) return;
  throw mustBe('commands', 'an array of commands, or an object of options', describeValue(commands));
}

/** `multi()`: as a pipeline that holds one transaction, with the results of that transaction. */
export class MultiChain extends PipelineChain {
  constructor(host: PipelineHost, batch: readonly unknown[] = []) {
    super(host);
    super.multi();
    this.addEntries(batch);
  }

  override exec(callback?: Callback): Promise<Results | null> {
    super.exec();
    const results = (super.exec() as Promise<Results>).then(resultsOfTransaction);
    if (callback !== undefined) tell(results, callback);
    return results;
  }

  override async execOrThrow(): Promise<unknown[]> {
    const results = await this.exec();
    if (results === null) {
      throw new RedisPoolError('RP_ERR_CONFLICT', 'A watched key changed: EXEC ran nothing', {
        maybeExecuted: false,
      });
    }
    return repliesOrThrow(results);
  }
}

/** Its reply holds those of the other commands, each in the encoding of its own: hence Buffers. */
function execCommand(): PoolCommand {
  return createCommand('exec', profileOf('exec'), [], null, undefined);
}

function repliesOrThrow(results: Results): unknown[] {
  return results.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

function resultsOfTransaction(results: Results): Results | null {
  refuseWithoutMulti(results);
  const [error, replies] = results.at(-1) as PipelineResult;
  if (error) {
    const previousErrors = results.slice(0, -1).flatMap(([previous]) => previous ?? []);
    throw Object.assign(error, { previousErrors });
  }
  if (!Array.isArray(replies)) return null;
  return replies.map((reply) =>
    reply instanceof Error ? ([reply] as unknown as PipelineResult) : [null, reply],
  );
}

/** A server that refuses MULTI runs each of the commands behind it at once, which the error of EXEC denies. */
function refuseWithoutMulti([multi, ...others]: Results): void {
  const [refusal] = multi as PipelineResult;
  if (!refusal) return;
  const maybeExecuted = others.some(([error]) => !error);
  const previousErrors = others.flatMap(([error]) => error ?? []);
  throw Object.assign(refusal, { maybeExecuted, previousErrors });
}
