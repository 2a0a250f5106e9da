import type { CommandOwner, PoolCommand } from './command.js';
import { CommandQueue } from './command-queue.js';
import type { Connection } from './connection.js';
import type { RedisPoolError, RedisPoolErrorCode } from './errors.js';
import { PublicLink } from './lane-link.js';
import { withoutArguments } from './sanitize-error.js';
import { type HomeState, SessionState } from './session-state.js';

type MakeError = (
  code: RedisPoolErrorCode,
  reason: string,
  details?: { cause?: unknown; maybeExecuted?: boolean },
) => RedisPoolError;

/** A connection that one caller has for itself, and what that caller's commands left on it. */
export class LeaseConnection implements CommandOwner {
  readonly connection: Connection;
  /** For CLIENT UNBLOCK; `undefined` where the server does not tell. */
  readonly clientId: number | undefined;
  readonly state = new SessionState();
  readonly #home: HomeState;
  readonly #makeError: MakeError;
  readonly #inFlight = new CommandQueue();
  readonly #timers = new Map<PoolCommand, NodeJS.Timeout>();
  readonly #link: PublicLink;

  constructor(connection: Connection, clientId: number | undefined, home: HomeState, makeError: MakeError) {
    this.connection = connection;
    this.clientId = clientId;
    this.#home = home;
    this.#makeError = makeError;
    this.#link = new PublicLink(connection);
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  get isUsable(): boolean {
    return !this.connection.lost && this.connection.socket.writable;
  }

  /** Calls back once when the connection is gone; what was in flight on it is settled before. */
  onLost(listener: () => void): void {
    this.connection.onLost((cause) => {
      for (const command of this.#inFlight.takeAll()) this.#failLost(command, cause);
      listener();
    });
  }

  /** Sends a command that has its promise or listener; `timeoutMs` ends the wait of its caller, not the command. */
  send(command: PoolCommand, timeoutMs: number | undefined): void {
    if (!this.isUsable) {
      this.#failLost(command, undefined);
      return;
    }
    command.owner = this;
    if (command.startedAt === 0) command.startedAt = performance.now();
    this.state.note(command);
    this.#link.send(command);
    this.#inFlight.push(command);
    if (timeoutMs !== undefined) this.#limit(command, timeoutMs);
  }

  replied(command: PoolCommand, reply: unknown): void {
    if (this.#takeOut(command)) command.fulfil(reply, false);
  }

  refused(command: PoolCommand, error: Error): void {
    if (!this.#takeOut(command)) return;
    if (!command.settled && command.retryAfter(error)) this.send(command, undefined);
    else command.refuse(withoutArguments(Object.assign(error, { command: { name: command.name } })) as Error);
  }

  /** Undoes what is known to be left, in one write. Resolves with whether the connection may be used again. */
  async clean(limitMs: number): Promise<boolean> {
    if (this.state.isDoubtful || this.#inFlight.length > 0 || !this.isUsable) return false;
    if (this.state.isClean) return true;
    const { redis } = this.connection;
    const commands = this.state.cleanup(this.#home);
    // Written in one turn of the event loop, hence in one write.
    const answers = Promise.all(commands.map(([name, ...args]) => redis.call(name as string, args)));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, limitMs, false);
    });
    const cleaned = await Promise.race([answers.then(() => true), limit]).catch(() => false);
    clearTimeout(timer);
    if (cleaned) this.state.forget();
    return cleaned;
  }

  destroy(): void {
    this.connection.destroy();
  }

  #limit(command: PoolCommand, timeoutMs: number): void {
    const expire = (): void => {
      this.#timers.delete(command);
      if (command.settled) return;
      const name = command.profile.name.toUpperCase();
      // Its reply is still owed: nobody else gets this connection.
      this.state.doubt();
      const reason = `got no reply to ${name} on a lease within ${timeoutMs} ms (commandTimeoutMs)`;
      command.fail(this.#makeError('RP_ERR_COMMAND_TIMEOUT', reason, { maybeExecuted: true }));
    };
    this.#timers.set(command, setTimeout(setImmediate, timeoutMs, expire));
  }

  #takeOut(command: PoolCommand): boolean {
    if (this.#inFlight.head !== command) {
      this.connection.destroy(new Error('A reply came out of order'));
      return false;
    }
    this.#inFlight.shift();
    this.#stopTimer(command);
    command.owner = undefined;
    return true;
  }

  #stopTimer(command: PoolCommand): void {
    clearTimeout(this.#timers.get(command));
    this.#timers.delete(command);
  }

  #failLost(command: PoolCommand, cause: unknown): void {
    this.#stopTimer(command);
    command.owner = undefined;
    const { writeNumber } = command.batch?.decisive ?? command;
    const maybeExecuted = writeNumber !== 0 && writeNumber <= this.connection.coalescer.flushed;
    const reason = `lost the connection of a lease before ${command.profile.name.toUpperCase()} was answered`;
    command.fail(this.#makeError('RP_ERR_CONNECTION_LOST', reason, { cause, maybeExecuted }));
  }
}
