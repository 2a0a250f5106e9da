import { RedisClient } from './client.js';
import type { PoolCommands } from './command-types.js';
import type { Engine } from './engine.js';

/** What binds a scope to its caller. */
export interface ScopeOptions {
  /** Name of the caller, for reports: a route, a job. */
  readonly label?: string | undefined;
}

// Every command of ioredis that may run on a shared connection.
export interface RequestRedis extends PoolCommands {}

/** The view of the pool that one request has, as `req.redis`. Its commands keep their order. */
export class RequestRedis extends RedisClient {
  readonly label: string | undefined;
  readonly #refusal: () => Error | undefined;

  /** @internal */
  constructor(engine: Engine, refusal: () => Error | undefined, options: ScopeOptions) {
    super(engine);
    this.#refusal = refusal;
    this.label = options.label;
  }

  protected override refusal(): Error | undefined {
    return this.#refusal();
  }
}
