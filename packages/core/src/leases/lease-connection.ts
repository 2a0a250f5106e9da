import type { CommandArgument, CommandOwner, PoolCommand } from '../commands/command.js';
import { CommandCopy } from '../commands/command-copy.js';
import { CommandQueue } from '../commands/command-queue.js';
import type { Place } from '../errors/place.js';
import { withoutArguments } from '../errors/sanitize-error.js';
import type { Waiting } from '../errors/time-spent.js';
import { uselessness } from '../errors/useless-connection.js';
import { PublicLink } from '../lanes/lane-link.js';
import type { Connection } from '../transport/connection.js';
import { SHORTEST_STALL_MS } from '../transport/connection-watch.js';
import type { BlockingWork } from './blocking-call.js';
import { type HomeState, SessionState } from './session-state.js';

/** The errors that a lease connection ends commands with. */
export interface LeaseErrors {
  /** The connection went before the command was answered. */
  lost(command: PoolCommand, cause: unknown, maybeExecuted: boolean): unknown;
  /** To be told of each error reply. */
  isElsewhere(error: Error): boolean;
  /** The command was not answered within `timeoutMs`. */
  late(command: PoolCommand, timeoutMs: number, connection: Connection): unknown;
  /** Nothing came on this connection for so long while the server owed a reply: it ends. */
  silent(connection: Connection, silentMs: number): void;
  /** The server says that connections to it are of no use any more. */
  useless(reason: string): void;
}

/** A connection that one caller has for itself, and what that caller's commands left on it. */
export class LeaseConnection implements CommandOwner {
  readonly connection: Connection;
  /** For CLIENT UNBLOCK; `undefined` where this user may not ask for it, or may not use it. */
  readonly unblockId: number | undefined;
  readonly state = new SessionState();
  /** While an UNBLOCK for this connection may be under way; see `endWaits()`. */
  unblocking: Promise<void> | undefined;
  /** Where whoever has it got it. */
  acquiredAt: Place | undefined;
  /** What waits at the server on it. */
  readonly works = new Set<BlockingWork>();
  /** The errors that commands on it ended with for want of an answer. */
  readonly unanswered = new WeakSet<object>();
  /** When the last reply came, on the clock of `performance.now()`. */
  answeredAt = 0;
  /** What has to be said on it before the next holder has it; see {@link Leases.renew}. */
  renew: ((connection: Connection) => void) | undefined;
  readonly #home: HomeState;
  readonly #errors: LeaseErrors;
  readonly #inFlight = new CommandQueue();
  readonly #timers = new Map<PoolCommand, NodeJS.Timeout>();
  readonly #link: PublicLink;
  #onAnswered: () => void = () => {};

  constructor(connection: Connection, unblockId: number | undefined, home: HomeState, errors: LeaseErrors) {
    this.connection = connection;
    this.unblockId = unblockId;
    this.#home = home;
    this.#errors = errors;
    this.#link = new PublicLink(connection);
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** Sent before all others that are not answered yet. */
  get oldest(): PoolCommand | undefined {
    return this.#inFlight.head;
  }

  /** Sent after all others that are not answered yet. */
  get newest(): PoolCommand | undefined {
    return this.#inFlight.tail;
  }

  get isUsable(): boolean {
    return !this.connection.lost && this.connection.socket.writable;
  }

  /** Whether something waits at the server for a holder who may send more behind it. */
  get isHeld(): boolean {
    return this.works.size > 0;
  }

  /** Whether nothing of it is unanswered. */
  get isAtRest(): boolean {
    return this.#inFlight.length === 0 && this.works.size === 0 && this.unblocking === undefined;
  }

  /** Whether nothing is to be done before somebody else may have it. */
  get isClean(): boolean {
    return this.isAtRest && this.state.isClean;
  }

  /** Calls back once when the connection is gone; what was in flight on it is settled before. */
  onLost(listener: () => void): void {
    this.connection.onLost((cause) => {
      for (const command of this.#inFlight.takeAll()) this.#failLost(command, cause);
      this.#onAnswered();
      listener();
    });
  }

  /** Sends a command that has its promise or listener; `timeoutMs` ends the wait of its caller, not the command. */
  send(command: PoolCommand, timeoutMs: number | undefined): void {
    if (command.startedAt === 0) command.startedAt = performance.now();
    if (timeoutMs !== undefined) this.#limit(command, timeoutMs);
    this.#write(command);
  }

  /**
   * Sends a command of its own for a command whose caller is answered by somebody else, with what this resolves with:
   * the reply as it came, for `command.fulfil()`.
   */
  sendCopy(command: PoolCommand, args: CommandArgument[]): Promise<unknown> {
    const copy = new CommandCopy(command, args);
    const reply = copy.createPromise();
    this.send(copy, undefined);
    return reply;
  }

  replied(command: PoolCommand, reply: unknown): void {
    if (!this.#takeOut(command)) return;
    this.#stopTimer(command);
    if (this.#inFlight.length === 0) this.#onAnswered();
    command.fulfil(reply, false);
  }

  refused(command: PoolCommand, error: Error): void {
    if (!this.#takeOut(command)) return;
    if (!command.settled && command.retryAfter(error)) {
      // The server did not run it (NOSCRIPT): it goes again, in another form, within the same limit.
      command.writeNumber = 0;
      this.#write(command);
      return;
    }
    this.#stopTimer(command);
    this.state.noteRefusal(command, error);
    this.#noteUselessness(error);
    this.#errors.isElsewhere(error);
    if (this.#inFlight.length === 0) this.#onAnswered();
    command.refuse(withoutArguments(Object.assign(error, { command: { name: command.name } })) as Error);
  }

  waiting(): Waiting {
    return { last: this.connection.unsentBytes > 0 ? 'socketMs' : 'serverMs' };
  }

  /**
   * Waits for what is not answered yet and undoes what is known to be left, in one write, both within `limitMs`.
   * Resolves with whether the connection may be used again.
   */
  async clean(limitMs: number): Promise<boolean> {
    const endsAt = performance.now() + limitMs;
    await this.#untilAnswered(limitMs);
    if (!this.isUsable || this.#inFlight.length > 0 || this.state.isDoubtful) return false;
    if (this.state.isClean) return true;
    const { redis } = this.connection;
    const commands = this.state.cleanup(this.#home);
    // Written in one turn of the event loop, hence in one write.
    const answers = Promise.all(commands.map(([name, ...args]) => redis.call(name as string, args)));
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, Math.max(1, endsAt - performance.now()), false);
    });
    const cleaned = await Promise.race([answers.then(() => true), limit]).catch(() => false);
    clearTimeout(timer);
    if (cleaned) this.state.forget();
    return cleaned;
  }

  /** To be called when nobody holds it. What is said goes out before whatever the next holder sends. */
  renewIfDue(): void {
    const { renew } = this;
    this.renew = undefined;
    if (this.isUsable) renew?.(this.connection);
  }

  destroy(): void {
    this.connection.destroy();
  }

  /** What is closed anyway needs no waiting for. */
  async #untilAnswered(limitMs: number): Promise<void> {
    if (this.isUsable && !this.state.isDoubtful) await this.unblocking;
    if (!this.isUsable || this.state.isDoubtful || this.#inFlight.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #write(command: PoolCommand): void {
    if (!this.isUsable) {
      this.#failLost(command, undefined);
      return;
    }
    command.owner = this;
    this.state.note(command);
    try {
      this.#link.send(command);
    } catch (error) {
      // It is longer than any string can be, and was not sent.
      this.#stopTimer(command);
      command.owner = undefined;
      command.fail(error);
      return;
    }
    this.#inFlight.push(command);
  }

  #noteUselessness(error: Error): void {
    const reason = uselessness(error);
    if (reason === undefined) return;
    this.state.doubt();
    this.#errors.useless(reason);
  }

  #limit(command: PoolCommand, timeoutMs: number): void {
    const { socket } = this.connection;
    const receivedBefore = socket.bytesRead;
    const expire = (): void => {
      this.#timers.delete(command);
      if (command.settled) return;
      // Its reply is still owed: nobody else gets this connection.
      this.state.doubt();
      this.#onAnswered();
      this.#failUnanswered(command, this.#errors.late(command, timeoutMs, this.connection));
      // Behind a command that waits at the server nothing else is answered either.
      const isSilent = socket.bytesRead === receivedBefore && this.works.size === 0;
      if (isSilent && timeoutMs >= SHORTEST_STALL_MS) this.#errors.silent(this.connection, timeoutMs);
    };
    // One turn of the event loop later: a reply that lies in the socket by then is in time.
    this.#timers.set(command, setTimeout(setImmediate, timeoutMs, expire));
  }

  #takeOut(command: PoolCommand): boolean {
    if (this.#inFlight.head !== command) {
      this.connection.destroy(new Error('A reply came out of order'));
      return false;
    }
    this.#inFlight.shift();
    this.answeredAt = performance.now();
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
    if (command.settled) return;
    const { writeNumber } = command.batch?.decisive ?? command;
    const maybeExecuted = writeNumber !== 0 && writeNumber <= this.connection.coalescer.flushed;
    this.#failUnanswered(command, this.#errors.lost(command, cause, maybeExecuted));
  }

  #failUnanswered(command: PoolCommand, error: unknown): void {
    if (typeof error === 'object' && error !== null) this.unanswered.add(error);
    command.fail(error);
  }
}
