import { ScanStream, type ScanStreamOptions } from 'ioredis';
import { Affinity } from './affinity.js';
import { tell } from './callbacks.js';
import type { PoolCommand } from './command.js';
import type { RedisPipeline } from './command-types.js';
import type { Engine } from './engine.js';
import { RedisPoolError } from './errors.js';
import { CommandFacade } from './facade.js';
import { MultiChain, PipelineChain, type PipelineHost } from './pipeline.js';
import { statefulCommandError } from './refusal.js';
import { type CommandClass, classify } from './routing.js';

type Batch = readonly (readonly [command: string, ...args: unknown[]])[];

/** What the pool and a scope have in common: commands over the lanes, chains and scan streams. */
export abstract class RedisClient extends CommandFacade {
  protected readonly keyPrefix: string | undefined;
  readonly #engine: Engine;
  readonly #affinity: Affinity | undefined;

  protected constructor(engine: Engine) {
    super();
    this.#engine = engine;
    this.keyPrefix = engine.options.redis.keyPrefix || undefined;
    this.#affinity = engine.options.lanes > 1 ? new Affinity() : undefined;
    engine.scripts.each((name, script) => this.addScript(name, script));
  }

  /** Behind a getter: what is printed or serialised of this object shows nothing of the inside. */
  protected get engine(): Engine {
    return this.#engine;
  }

  /** What a command that may not start now is rejected with, if so. */
  protected abstract refusal(): unknown;

  /** Called with each command that goes to the engine. */
  protected accepted(_command: PoolCommand): void {}

  /** Commands that leave in one write, in order; others may come between. See ioredis. */
  pipeline(commands?: Batch): RedisPipeline {
    return new PipelineChain(this.#pipelineHost(), commands) as unknown as RedisPipeline;
  }

  /** A MULTI/EXEC transaction in one write. For WATCH use `transaction()`. */
  multi(commands?: Batch): RedisPipeline {
    if (commands !== undefined && !Array.isArray(commands)) {
      const rule = 'an array of commands; MULTI with pipeline: false holds a connection, use pool.lease()';
      throw new RedisPoolError('RP_ERR_STATEFUL_COMMAND', `multi() takes ${rule}`, { maybeExecuted: false });
    }
    return new MultiChain(this.#pipelineHost(), commands) as unknown as RedisPipeline;
  }

  scanStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scan', undefined, options);
  }

  scanBufferStream(options?: ScanStreamOptions): ScanStream {
    return this.#scan('scanBuffer', undefined, options);
  }

  sscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscan', key, options);
  }

  sscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('sscanBuffer', key, options);
  }

  hscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscan', key, options);
  }

  hscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('hscanBuffer', key, options);
  }

  zscanStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscan', key, options);
  }

  zscanBufferStream(key: string | Buffer, options?: ScanStreamOptions): ScanStream {
    return this.#scan('zscanBuffer', key, options);
  }

  protected override execute(command: PoolCommand): Promise<unknown> {
    const commandClass = command.profile.class;
    if (commandClass !== 'plain') this.#refuseStateful(command, classify(command.profile, command.args));
    const promise = command.createPromise();
    if (command.callback !== undefined) tell(promise, command.callback);
    if (commandClass === 'unknown') this.#learnThenSend(command);
    else this.#send(command);
    return promise;
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

  #refuseStateful(command: PoolCommand, commandClass: CommandClass): void {
    if (commandClass !== 'plain' && commandClass !== 'unknown')
      throw statefulCommandError(command, commandClass);
  }

  #learnThenSend(command: PoolCommand): void {
    if (this.engine.directory.get(command.profile.name) === 'plain') {
      this.#send(command);
      return;
    }
    command.startedAt = performance.now();
    this.#learn([command]).then(
      () => this.#send(command),
      (error: unknown) => command.fail(error),
    );
  }

  /** Asks the server about unknown commands; rejects when one of them would block a lane. */
  async #learn(commands: readonly PoolCommand[]): Promise<void> {
    for (const command of commands) {
      const learned = await this.engine.directory.ask(command.profile.name);
      if (learned === 'blocking' && !command.inTransaction) throw statefulCommandError(command, learned);
    }
  }

  #pipelineHost(): PipelineHost {
    return {
      keyPrefix: this.keyPrefix,
      scripts: this.engine.scripts,
      submitBatch: (commands) => this.#submitBatch(commands),
    };
  }

  #submitBatch(commands: readonly PoolCommand[]): void {
    const failAll = (error: unknown): void => {
      for (const command of commands) command.fail(error);
    };
    const send = (): void => {
      const refusal = this.refusal();
      if (refusal !== undefined) {
        failAll(refusal);
        return;
      }
      for (const command of commands) this.accepted(command);
      this.engine.submitBatch(commands, this.#affinity);
    };
    const unknown = commands.filter(({ profile }) => profile.class === 'unknown');
    if (unknown.every(({ profile }) => this.engine.directory.get(profile.name) === 'plain')) send();
    else this.#learn(unknown).then(send, failAll);
  }

  #scan(command: string, key: string | Buffer | undefined, options: ScanStreamOptions = {}): ScanStream {
    return new ScanStream({ objectMode: true, redis: this, command, key, ...options } as never);
  }
}
