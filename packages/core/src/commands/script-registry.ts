import { RedisPoolError } from '../errors/errors.js';
import type { ScriptDefinition } from '../options/options.js';
import { CommandFacade } from './facade.js';
import { Script } from './script.js';

/** A pool with a `then` would be taken for a promise; the others are members of scopes and chains. */
const RESERVED: ReadonlySet<string> = new Set(['then', 'label', 'length', 'execOrThrow']);

type Listener = (name: string, script: Script) => void;

/** The scripts of one engine, by the name of the command that they are. */
export class ScriptRegistry {
  readonly #scripts = new Map<string, Script>();
  readonly #listeners = new Set<Listener>();

  constructor(definitions: Readonly<Record<string, ScriptDefinition>>) {
    for (const [name, definition] of Object.entries(definitions)) this.define(name, definition);
  }

  /**
   * @throws RedisPoolError `RP_ERR_INVALID_OPTION` when the name is a command or method already, or the definition
   * holds no source.
   */
  define(name: string, definition: ScriptDefinition): void {
    if (name in CommandFacade.prototype || RESERVED.has(name) || !/^[A-Za-z_$][\w$]*$/.test(name)) {
      const rule = 'a JavaScript identifier that is no Redis command and no method of the pool';
      throw new RedisPoolError(
        'RP_ERR_INVALID_OPTION',
        `The name of a script must be ${rule}, received "${name}"`,
      );
    }
    if (typeof definition?.lua !== 'string' || definition.lua === '') {
      throw new RedisPoolError(
        'RP_ERR_INVALID_OPTION',
        `Script "${name}" needs "lua", its source, as a string`,
      );
    }
    const script = new Script(definition);
    this.#scripts.set(name, script);
    for (const listener of this.#listeners) listener(name, script);
  }

  /** Calls back for each script that is defined from now on; returns how to stop that. */
  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  each(listener: Listener): void {
    for (const [name, script] of this.#scripts) listener(name, script);
  }
}
