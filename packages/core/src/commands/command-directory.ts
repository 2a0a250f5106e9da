import { isRedisPoolError, RedisPoolError } from '../errors/errors.js';
import type { PoolCommand } from './command.js';
import { createCommand } from './create-command.js';
import { type CommandProfile, profileOf } from './routing.js';

/** What the server says of a command that the routing table does not know. */
export type LearnedClass = 'plain' | 'blocking';

interface Learned {
  readonly class: LearnedClass;
  /** Where its first key stands; `undefined`: it has none. */
  readonly firstKey: number | undefined;
}

/** Names come from callers; more than this many of them are not worth remembering. */
const MAX_LEARNED = 1_000;

/** COMMAND INFO has no such flag, but may be asked twice. */
const COMMAND_INFO: CommandProfile = { ...profileOf('command'), readOnly: true };

/** Commands of modules and of newer servers: each name is asked of the server once, with COMMAND INFO. */
export class CommandDirectory {
  readonly #submit: (command: PoolCommand) => void;
  readonly #learned = new Map<string, Learned>();
  readonly #asking = new Map<string, Promise<LearnedClass>>();
  readonly #questions = new Set<PoolCommand>();

  constructor(submit: (command: PoolCommand) => void) {
    this.#submit = submit;
  }

  get(name: string): LearnedClass | undefined {
    return this.#learned.get(name)?.class;
  }

  /** Where keys of a command stand; `undefined` while it was not asked about. */
  keyIndexesOf(name: string): readonly number[] | undefined {
    const learned = this.#learned.get(name);
    if (learned === undefined) return undefined;
    return learned.firstKey === undefined ? [] : [learned.firstKey];
  }

  /**
   * Rejects where the question itself does: with a deadline, a lost connection, or at the end of the pool. The
   * command that it is about was not sent.
   */
  ask(name: string): Promise<LearnedClass> {
    const known = this.get(name);
    if (known !== undefined) return Promise.resolve(known);
    const asking = this.#asking.get(name) ?? this.#ask(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  /** The commands that are asked about would be refused from now on: nobody waits for an answer. */
  end(error: Error): void {
    for (const command of this.#questions) command.fail(error);
  }

  async #ask(name: string): Promise<LearnedClass> {
    const command = createCommand('command', COMMAND_INFO, ['INFO', name], 'utf8', undefined);
    const reply = command.createPromise();
    this.#questions.add(command);
    this.#submit(command);
    const answer = orNothing(reply, name).finally(() => this.#questions.delete(command));
    const learned = readInfo(await answer);
    if (this.#learned.size < MAX_LEARNED) this.#learned.set(name, learned);
    return learned.class;
  }
}

/** A user who may not ask COMMAND INFO gets no answer; the server then judges the command itself. */
function orNothing(reply: Promise<unknown>, name: string): Promise<unknown> {
  return reply.catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ReplyError') return [];
    if (!isRedisPoolError(error)) throw error;
    const message = `${error.message}; it was to tell whether ${name.toUpperCase()} may share a connection`;
    throw new RedisPoolError(error.code, message, { cause: error, maybeExecuted: false });
  });
}

/**
 * `[name, arity, flags, first key, ...]`, keys counted from 1. A server that does not know the command refuses it
 * itself.
 */
function readInfo(reply: unknown): Learned {
  const [entry] = Array.isArray(reply) ? reply : [];
  const [, , flags, first] = Array.isArray(entry) ? entry : [];
  const blocks = Array.isArray(flags) && flags.includes('blocking');
  return {
    class: blocks ? 'blocking' : 'plain',
    firstKey: Number(first) > 0 ? Number(first) - 1 : undefined,
  };
}
