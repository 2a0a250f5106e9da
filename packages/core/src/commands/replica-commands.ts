import type { PoolCommand } from './command.js';
import type { PoolCommands } from './command-types.js';
import { CommandFacade } from './facade.js';
import type { ScriptRegistry } from './script-registry.js';

/** Whose commands they are. */
interface ReplicaCommandsHost {
  readonly keyPrefix: string | undefined;
  readonly scripts: ScriptRegistry;
  execute(command: PoolCommand): unknown;
}

// Every command, so that those which write need no other object.
export interface ReplicaCommands extends PoolCommands {}

/**
 * The same commands, of which those that only read may be answered by a replica: with data that may be old, even older
 * than what the same caller wrote just before. Without replicas everything goes where it goes otherwise.
 */
export class ReplicaCommands extends CommandFacade {
  protected readonly keyPrefix: string | undefined;
  readonly #host: ReplicaCommandsHost;

  /** @internal */
  constructor(host: ReplicaCommandsHost) {
    super();
    this.keyPrefix = host.keyPrefix;
    this.#host = host;
    host.scripts.each((name, script) => this.addScript(name, script));
  }

  protected override execute(command: PoolCommand): unknown {
    command.prefersReplica = true;
    return this.#host.execute(command);
  }
}
