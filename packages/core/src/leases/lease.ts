import { inspect } from 'node:util';
import { tell } from '../commands/callbacks.js';
import type { PoolCommand } from '../commands/command.js';
import type { LeaseCommands, PipelineResult, RedisPipeline } from '../commands/command-types.js';
import { createCommand } from '../commands/create-command.js';
import { CommandFacade } from '../commands/facade.js';
import { checkBeginning, MultiChain, PipelineChain, type PipelineHost } from '../commands/pipeline.js';
import { type CommandClass, classify, isReadOnly, profileOf } from '../commands/routing.js';
import type { Engine } from '../engine.js';
import { statefulCommandError } from '../errors/refusal.js';
import { waitClassOf, waitLimitMs, waitOf } from './blocking-timeout.js';
import type { ForgottenLease } from './forgotten-leases.js';
import type { Holder } from './holder.js';
import type { LeaseSlot } from './leases.js';

/** Runs blocking commands, which end by a signal, within the limits of the client that acquired the lease. */
type Limited = (
  commands: readonly PoolCommand[],
  action: (signal: AbortSignal | undefined) => Promise<void>,
) => void;

type LeaseState =
  | { readonly tag: 'held' }
  | { readonly tag: 'released'; readonly done: Promise<void>; readonly why: string };

/** Of a lease: its connection, who has it, and what its client adds. */
interface LeaseTerms {
  readonly slot: LeaseSlot;
  readonly holder: Holder | undefined;
  readonly limited: Limited;
  /** Called once, when it is given back. */
  readonly onReleased: (lease: RedisLease) => void;
}

// Every command of ioredis but those that take the socket over.
export interface RedisLease extends LeaseCommands {}

/**
 * A connection that its holder has alone, for as long as needed: blocking commands, WATCH, SELECT, WAIT and all the
 * others behave as on a connection of one's own. It goes back clean: what its commands left behind is undone, and
 * where that cannot be done for certain the connection is closed instead.
 *
 * Got from `pool.lease(fn)`, or from `pool.acquire()`; then it has to be given back.
 */
export class RedisLease extends CommandFacade implements AsyncDisposable {
  protected readonly keyPrefix: string | undefined;
  readonly #engine: Engine;
  readonly #terms: LeaseTerms;
  #state: LeaseState = { tag: 'held' };
  #uses = 0;
  #writes = 0;

  /** @internal */
  constructor(engine: Engine, terms: LeaseTerms) {
    super();
    this.keyPrefix = engine.options.redis.keyPrefix || undefined;
    this.#engine = engine;
    this.#terms = terms;
    if (terms.holder !== undefined) terms.holder.holds += 1;
    engine.scripts.each((name, script) => this.addScript(name, script));
  }

  /** Whether it was given back; then every use of it fails with `RP_ERR_LEASE_RELEASED`. */
  get released(): boolean {
    return this.#state.tag === 'released';
  }

  /** @internal How often it was used; `busy` while something of it is unanswered. */
  get use(): number | 'busy' {
    return this.#terms.slot.resource.isAtRest ? this.#uses : 'busy';
  }

  /** @internal How many commands it sent that may have changed something. */
  get writes(): number {
    return this.#writes;
  }

  /** @internal Whether a command of it ended with this error, for want of an answer. */
  leftUnanswered(error: object): boolean {
    return this.#terms.slot.resource.unanswered.has(error);
  }

  /** @internal */
  watchForgotten(details: ForgottenLease): void {
    this.#engine.leases.forgotten.watch(this, details);
  }

  /** @internal */
  unwatchForgotten(): void {
    this.#engine.leases.forgotten.unwatch(this);
  }

  pipeline(commands?: readonly (readonly unknown[])[]): RedisPipeline {
    return new PipelineChain(this.#pipelineHost(), commands) as unknown as RedisPipeline;
  }

  /** A chain that leaves as one MULTI/EXEC; with `{ pipeline: false }` MULTI is sent alone. */
  multi(): RedisPipeline;
  multi(commands: readonly (readonly unknown[])[]): RedisPipeline;
  multi(options: { readonly pipeline: false }): Promise<'OK'>;
  multi(
    argument?: readonly (readonly unknown[])[] | { readonly pipeline: false },
  ): RedisPipeline | Promise<'OK'> {
    checkBeginning(argument);
    if (argument !== undefined && 'pipeline' in argument) {
      return this.execute(createCommand('multi', profileOf('multi'), [], 'utf8', undefined)) as Promise<'OK'>;
    }
    return new MultiChain(this.#pipelineHost(), argument) as unknown as RedisPipeline;
  }

  /** Ends a MULTI that was sent alone; `null` when a watched key changed. */
  async exec(): Promise<PipelineResult[] | null> {
    const replies = await this.execute(createCommand('exec', profileOf('exec'), [], 'utf8', undefined));
    if (!Array.isArray(replies)) return null;
    return replies.map((reply) =>
      reply instanceof Error ? ([reply] as unknown as PipelineResult) : [null, reply],
    );
  }

  /** Gives the connection back; idempotent. Resolves when it is clean, or closed. */
  release(): Promise<void> {
    return this.#end('given back');
  }

  /** @internal The pool takes it back, and says why to whoever goes on using it. */
  takeBack(why: string): Promise<void> {
    return this.#end(why);
  }

  /** Closes the connection instead of giving it back. */
  destroy(): void {
    if (this.#state.tag === 'released') return;
    this.#terms.slot.resource.destroy();
    void this.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  [inspect.custom](): string {
    return `RedisLease { ${this.#state.tag} }`;
  }

  protected override execute(command: PoolCommand): Promise<unknown> {
    const commandClass = classify(command.profile, command.args);
    if (commandClass === 'subscription' || commandClass === 'refused')
      throw statefulCommandError(command, commandClass, 'a lease');
    const promise = command.createPromise();
    if (command.callback !== undefined) tell(promise, command.callback);
    if (this.#state.tag === 'released') command.fail(this.#releasedError());
    else this.#send(command, commandClass);
    return promise;
  }

  #end(why: string): Promise<void> {
    if (this.#state.tag === 'released') return this.#state.done;
    const { slot, holder, onReleased } = this.#terms;
    const done = this.#engine.leases.release(slot);
    this.#state = { tag: 'released', done, why };
    if (holder !== undefined) holder.holds -= 1;
    onReleased(this);
    return done;
  }

  #send(command: PoolCommand, commandClass: CommandClass): void {
    this.#engine.counters.commands += 1;
    this.#uses += 1;
    if (mayWrite(command)) this.#writes += 1;
    if (commandClass === 'blocking') this.#block([command]);
    else
      this.#terms.slot.resource.send(
        command,
        waitLimitMs(waitOf([command]), this.#engine.options.commandTimeoutMs),
      );
  }

  #block(commands: readonly PoolCommand[]): void {
    const { blocking } = this.#engine.leases;
    const { resource } = this.#terms.slot;
    this.#terms.limited(commands, (signal) => blocking.runHeld(commands, resource, { signal }));
  }

  #pipelineHost(): PipelineHost {
    return {
      keyPrefix: this.keyPrefix,
      scripts: this.#engine.scripts,
      // One server: it answers itself for keys that it does not have.
      place: () => {},
      mayQueue: (commandClass) => commandClass !== 'subscription' && commandClass !== 'refused',
      submitBatch: (commands) => {
        if (this.#state.tag === 'released')
          for (const command of commands) command.fail(this.#releasedError());
        else this.#sendAll(commands);
      },
    };
  }

  #sendAll(commands: readonly PoolCommand[]): void {
    this.#engine.counters.commands += commands.length;
    this.#uses += 1;
    this.#writes += commands.filter(mayWrite).length;
    if (commands.some((command) => waitClassOf(command) === 'blocking')) this.#block(commands);
    else {
      const limitMs = waitLimitMs(waitOf(commands), this.#engine.options.commandTimeoutMs);
      for (const command of commands) this.#terms.slot.resource.send(command, limitMs);
    }
  }

  #releasedError(): Error {
    const why = this.#state.tag === 'released' ? this.#state.why : '';
    const reason = `got a command through a lease that was ${why}`;
    return this.#engine.error('RP_ERR_LEASE_RELEASED', reason, { maybeExecuted: false });
  }
}

function mayWrite({ profile, args }: PoolCommand): boolean {
  if (profile.name === 'watch' || profile.name === 'unwatch') return false;
  return classify(profile, args) !== 'connection-relative' && !isReadOnly(profile, args);
}
