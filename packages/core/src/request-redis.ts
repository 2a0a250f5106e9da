import { inspect } from 'node:util';
import { RedisClient } from './client.js';
import type { PoolCommand } from './commands/command.js';
import type { PoolCommands } from './commands/command-types.js';
import type { Engine } from './engine.js';
import { RedisPoolError } from './errors/errors.js';
import { currentHolder, Holder } from './leases/holder.js';
import { ScopeLimit } from './scope-limit.js';

/** What binds a scope to its caller. */
export interface ScopeOptions {
  /**
   * Ends the scope: running commands reject with its reason (those already sent are left to finish at the server),
   * later ones too.
   */
  readonly signal?: AbortSignal | undefined;
  /** Time of the whole scope from now on, ms, from 1. @default none; each command has its own commandTimeoutMs */
  readonly timeoutMs?: number | undefined;
  /** Name of the caller, for reports: a route, a job. */
  readonly label?: string | undefined;
}

/** The handle that a scope was made of. */
interface ScopeParent {
  refusal(): unknown;
  readonly lifetime: AbortSignal;
}

// Every command of ioredis that may run on a shared connection.
export interface RequestRedis extends PoolCommands {}

/**
 * The view of the pool that one caller has, such as a request: `req.redis`. The same commands as the pool; they
 * reach the server in the order of the calls and end with the scope's signal and deadline.
 */
export class RequestRedis extends RedisClient {
  readonly label: string;
  readonly #parent: ScopeParent;
  readonly #limit: ScopeLimit | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #holder = new Holder(undefined);

  /** @internal */
  constructor(engine: Engine, parent: ScopeParent, { signal, timeoutMs, label = 'a scope' }: ScopeOptions) {
    if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= 2_147_483_647)) {
      const rule = 'a number of ms from 1 to 2147483647';
      throw new RedisPoolError(
        'RP_ERR_INVALID_OPTION',
        `Option "timeoutMs" must be ${rule}, received ${timeoutMs}`,
      );
    }
    super(engine);
    this.label = label;
    this.#parent = parent;
    this.#signal = signal;
    const limited = signal !== undefined || timeoutMs !== undefined;
    this.#limit = limited ? new ScopeLimit(engine, label, signal, timeoutMs) : undefined;
  }

  [inspect.custom](): string {
    return `RequestRedis { label: '${this.label}' }`;
  }

  protected override refusal(): unknown {
    return this.#parent.refusal() ?? this.#limit?.refusal();
  }

  protected override accepted(command: PoolCommand): void {
    this.#limit?.track(command);
  }

  protected override limited<T>(
    action: (signal: AbortSignal | undefined) => Promise<T>,
    isSent?: () => boolean,
  ): Promise<T> {
    return this.#limit === undefined ? action(undefined) : this.#limit.run(action, isSent);
  }

  protected override lifetime(): AbortSignal {
    const { lifetime } = this.#parent;
    return this.#signal === undefined ? lifetime : AbortSignal.any([this.#signal, lifetime]);
  }

  // Inside a function given to lease() it is that function, otherwise the scope itself.
  protected override holder(): Holder {
    return currentHolder() ?? this.#holder;
  }
}
