import { list as knownCommands } from '@ioredis/commands';
import { RedisPoolError } from '../errors/errors.js';
import type { Callback, PoolCommand, ReplyEncoding } from './command.js';
import { createCommand } from './create-command.js';
import { type CommandProfile, profileOf } from './routing.js';
import type { Script } from './script.js';

const COMMAND_METHODS = new Set<string>();

/** Whether everything that runs commands has a method of this name, for a command. */
export function isCommandMethod(name: string): boolean {
  return COMMAND_METHODS.has(name);
}

/**
 * Base of everything that runs commands: one method for each Redis command and its `...Buffer` variant, and
 * `call()`, all of which end in `execute()`. Subclasses differ in nothing else, and declare the types.
 */
export abstract class CommandFacade {
  protected abstract readonly keyPrefix: string | undefined;

  /** Runs, queues or refuses a command; what it returns is what the method returns. */
  protected abstract execute(command: PoolCommand): unknown;

  #run(name: string, profile: CommandProfile, args: unknown[], encoding: ReplyEncoding): unknown {
    let callback: Callback | undefined;
    if (typeof args[args.length - 1] === 'function') callback = args.pop() as Callback;
    const command = createCommand(name, profile, args, encoding, this.keyPrefix);
    command.callback = callback;
    return this.execute(command);
  }

  /** Gives this object the two methods of a script. */
  protected addScript(name: string, script: Script): void {
    const define = (methodName: string, encoding: ReplyEncoding) => {
      const value = (...args: unknown[]): unknown => {
        let callback: Callback | undefined;
        if (typeof args[args.length - 1] === 'function') callback = args.pop() as Callback;
        const command = script.createCommand(args, encoding, this.keyPrefix);
        command.callback = callback;
        return this.execute(command);
      };
      Object.defineProperty(this, methodName, { value, configurable: true, writable: true });
    };
    define(name, 'utf8');
    define(`${name}Buffer`, null);
  }

  static {
    const addMethod = (
      methodName: string,
      run: (facade: CommandFacade, args: unknown[]) => unknown,
    ): void => {
      const holder = {
        [methodName](this: CommandFacade, ...args: unknown[]): unknown {
          return run(this, args);
        },
      };
      const value = holder[methodName];
      COMMAND_METHODS.add(methodName);
      Object.defineProperty(CommandFacade.prototype, methodName, {
        value,
        configurable: true,
        writable: true,
      });
    };
    for (const name of [...knownCommands, 'sentinel']) {
      const profile = profileOf(name);
      addMethod(name, (facade, args) => facade.#run(name, profile, args, 'utf8'));
      addMethod(`${name}Buffer`, (facade, args) => facade.#run(name, profile, args, null));
    }
    addMethod('call', (facade, args) => facade.#run(...nameAndProfile(args), args.slice(1), 'utf8'));
    addMethod('callBuffer', (facade, args) => facade.#run(...nameAndProfile(args), args.slice(1), null));
  }
}

function nameAndProfile([name]: unknown[]): [string, CommandProfile] {
  if (typeof name === 'string' && name !== '') return [name, profileOf(name)];
  const received = name === '' ? 'an empty string' : typeof name;
  throw new RedisPoolError(
    'RP_ERR_INVALID_OPTION',
    `call() takes the name of a command, received ${received}`,
  );
}
