import { tell } from './commands/callbacks.js';
import type { PoolCommand } from './commands/command.js';
import type { RedisPipeline } from './commands/command-types.js';
import { checkBeginning, MultiChain, PipelineChain, type PipelineHost } from './commands/pipeline.js';
import { PlaceScan } from './commands/place-scan.js';
import { ReplicaCommands } from './commands/replica-commands.js';
import { type CommandClass, classify } from './commands/routing.js';
import { ScanFacade } from './commands/scan-facade.js';
import { RedisPoolError } from './errors/errors.js';
import { statefulCommandError } from './errors/refusal.js';
import { Affinity } from './lanes/affinity.js';
import { currentHolder, type Holder } from './leases/holder.js';
import { unlessAborted } from './on-abort.js';
import type { PoolEngine } from './pool-engine.js';
import type { BoundedAction, Bounds } from './scope/bounds.js';

type Batch = readonly (readonly [command: string, ...args: unknown[]])[];

/** What `multi()` of ioredis takes. `false` would send MULTI alone, which only an exclusive connection may. */
interface ChainOptions {
  readonly pipeline?: true;
}

/** For what the server knows of a command. */
const ASKING: Bounds = { kind: 'queued', waitsFor: 'serverMs' };

/** What commands are called on: single ones, chains and scan streams, over the lanes or, where they wait, on a lease. */
export abstract class CommandClient extends ScanFacade {
  protected readonly keyPrefix: string | undefined;
  readonly #engine: PoolEngine;
  readonly #affinity: Affinity | undefined;

  protected constructor(engine: PoolEngine) {
    super();
    this.#engine = engine;
    this.keyPrefix = engine.options.redis.keyPrefix || undefined;
    this.#affinity = engine.options.lanes > 1 ? new Affinity() : undefined;
    engine.scripts.each((name, script) => this.addScript(name, script));
  }

  /** Behind a getter: what is printed or serialised of this object shows nothing of the inside. */
  protected get engine(): PoolEngine {
    return this.#engine;
  }

  /** What a command that may not start now is rejected with, if so. */
  protected abstract refusal(): unknown;

  /** Called with each command that goes to a lane. */
  protected accepted(_command: PoolCommand): void {}

  /** Called with the number of commands that wait at the server, or go with one that does. */
  protected parked(_commands: number): void {}

  /** What a command that would wait at the server, or a subscription, is rejected with, if so. */
  protected abstract refusalToWait(): unknown;

  /** Runs what ends itself by a signal, within the bounds of this object. */
  protected abstract bounded<T>(action: BoundedAction<T>, bounds: Bounds): Promise<T>;

  /** Who waits, where this object knows it better than the asynchronous context. */
  protected holder(): Holder | undefined {
    return currentHolder();
  }

  /**
   * The same commands, of which those that only read go to replicas of a cluster: with data that may be old, even older
   * than what the same caller wrote just before. A choice for the calls that can live with that.
   *
   * @example
   * ```ts
   * const page = await pool.replica.get('page:home');
   * ```
   */
  get replica(): ReplicaCommands {
    const { keyPrefix } = this;
    return new ReplicaCommands({
      keyPrefix,
      scripts: this.#engine.scripts,
      execute: (command) => this.execute(command),
    });
  }

  /** Commands that leave in one write, in order; others may come between. See ioredis. */
  pipeline(commands?: Batch): RedisPipeline {
    return new PipelineChain(this.#pipelineHost(), commands) as unknown as RedisPipeline;
  }

  /** A MULTI/EXEC transaction in one write. For WATCH use `transaction()`. */
  multi(commands?: Batch | ChainOptions, options?: ChainOptions): RedisPipeline {
    checkBeginning(commands);
    const batch = Array.isArray(commands) ? (commands as Batch) : undefined;
    const chosen = options ?? (batch === undefined ? (commands as ChainOptions | undefined) : undefined);
    if (!(chosen?.pipeline ?? true)) {
      const rule = 'multi() with pipeline: false holds a connection: use pool.lease()';
      throw new RedisPoolError('RP_ERR_STATEFUL_COMMAND', rule, { maybeExecuted: false });
    }
    return new MultiChain(this.#pipelineHost(), batch) as unknown as RedisPipeline;
  }

  protected override scanSource(): object {
    if (!this.#engine.isDivided) return this;
    const places = (): Promise<ReadonlyMap<string, number>> => this.#engine.scanPlaces();
    return new PlaceScan({ places, execute: (command) => this.execute(command) });
  }

  protected override execute(command: PoolCommand): Promise<unknown> {
    const commandClass = classify(command.profile, command.args);
    if (commandClass !== 'plain' && !runsOnPool(commandClass))
      throw statefulCommandError(command, commandClass);
    this.#engine.place(command);
    const promise = command.createPromise();
    if (command.callback !== undefined) tell(promise, command.callback);
    if (commandClass === 'plain') this.#send(command);
    else if (commandClass === 'blocking') this.#block([command]);
    else this.#learnThenSend(command);
    return promise;
  }

  /** Settles blocking commands, whatever comes of them. */
  protected runParked(commands: readonly PoolCommand[], action: BoundedAction<void>): void {
    const isSent = (): boolean => commands.some(({ owner, settled }) => owner !== undefined || settled);
    this.bounded(action, { kind: 'parked', waitsFor: 'leaseMs', isSent }).catch((error: unknown) =>
      failAll(commands, error),
    );
  }

  #block(commands: readonly PoolCommand[]): void {
    const refusal = this.refusalToWait();
    if (refusal !== undefined) {
      failAll(commands, refusal);
      return;
    }
    this.parked(commands.length);
    const holder = this.holder();
    this.runParked(commands, (signal) => this.#engine.runBlocking(commands, signal, holder));
  }

  #send(command: PoolCommand): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      command.fail(refusal);
      return;
    }
    this.accepted(command);
    this.engine.submit(command, this.#affinity);
  }

  #learnThenSend(command: PoolCommand): void {
    // Without a detour once it is known: commands of one caller keep their order (law 9).
    if (this.#engine.directory.get(command.profile.name) === 'plain') {
      this.#send(command);
      return;
    }
    command.startedAt = performance.now();
    this.bounded((signal) => unlessAborted(signal, this.#learn([command])), ASKING).then(
      (blocks) => (blocks ? this.#block([command]) : this.#send(command)),
      (error: unknown) => command.fail(error),
    );
  }

  /** Asks the server about unknown commands; resolves with whether one of them blocks. */
  async #learn(commands: readonly PoolCommand[]): Promise<boolean> {
    const classes = await Promise.all(
      commands.map(({ profile }) => this.#engine.directory.ask(profile.name)),
    );
    return commands.some((command, index) => classes[index] === 'blocking' && !command.inTransaction);
  }

  #pipelineHost(): PipelineHost {
    return {
      keyPrefix: this.keyPrefix,
      scripts: this.#engine.scripts,
      place: (command) => this.#engine.place(command),
      mayQueue: runsOnPool,
      submitBatch: (commands) => this.#submitBatch(commands),
    };
  }

  /** A chain is judged by its worst member. */
  #submitBatch(commands: readonly PoolCommand[]): void {
    if (
      commands.some(
        (command) => !command.inTransaction && classify(command.profile, command.args) === 'blocking',
      )
    ) {
      this.#block(commands);
      return;
    }
    const { directory } = this.#engine;
    const unknown = commands.filter(({ profile }) => profile.class === 'unknown');
    if (unknown.every(({ profile }) => directory.get(profile.name) === 'plain')) {
      this.#sendBatch(commands);
      return;
    }
    const startedAt = performance.now();
    for (const command of commands) command.startedAt = startedAt;
    this.bounded((signal) => unlessAborted(signal, this.#learn(unknown)), ASKING).then(
      (blocks) => (blocks ? this.#block(commands) : this.#sendBatch(commands)),
      (error: unknown) => failAll(commands, error),
    );
  }

  #sendBatch(commands: readonly PoolCommand[]): void {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      failAll(commands, refusal);
      return;
    }
    for (const command of commands) this.accepted(command);
    this.#engine.submitBatch(commands, this.#affinity);
  }
}

/** Blocking commands get a connection of their own; unknown ones are asked about first. */
function runsOnPool(commandClass: CommandClass): boolean {
  return commandClass === 'plain' || commandClass === 'blocking' || commandClass === 'unknown';
}

function failAll(commands: readonly PoolCommand[], error: unknown): void {
  for (const command of commands) command.fail(error);
}
