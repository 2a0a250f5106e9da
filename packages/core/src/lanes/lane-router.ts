import type { PoolCommand } from '../commands/command.js';
import { CommandQueue } from '../commands/command-queue.js';
import { DeadlineSweep } from '../commands/deadline-sweep.js';
import type { Counters } from '../counters.js';
import type { CutList } from '../cut-list.js';
import type { PoolErrors } from '../errors/pool-errors.js';
import { withoutArguments } from '../errors/sanitize-error.js';
import { divideTime, type TimeSpent, type Waiting } from '../errors/time-spent.js';
import { uselessness } from '../errors/useless-connection.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { LoopDelay } from '../transport/loop-delay.js';
import type { Affinity } from './affinity.js';
import type { Lane, LaneHost, LaneLoss } from './lane.js';
import { Lanes } from './lanes.js';
import type { LatencyHistogram } from './latency-histogram.js';
import { type LostCommandsHost, takeSurvivors } from './lost-commands.js';
import type { PendingCommands } from './pending-commands.js';

/** What the router needs of its engine. */
export interface RouterHost {
  readonly options: ResolvedOptions;
  readonly counters: Counters;
  readonly cuts: CutList;
  readonly latency: LatencyHistogram;
  readonly delay: LoopDelay;
  readonly errors: PoolErrors;
  readonly pending: PendingCommands;
  readonly lastDialError: unknown;
  /** Has the lanes that are down connected. */
  start(): void;
  /** A server says that connections to it are of no use any more. `true`: they are being replaced. */
  replaceUseless(reason: string): boolean;
  laneLost(loss: LaneLoss): void;
  /**
   * Asked about each error reply to a caller that still waits. `true`: the server did not run the command, and somebody
   * else sees to it from now on.
   */
  redirected(command: PoolCommand, error: Error): boolean;
}

/** What ends the commands that are left at the end: what `destroy()` was given, or nothing. */
type Phase = { readonly tag: 'open' } | { readonly tag: 'closed'; readonly error: unknown };

/**
 * Brings plain commands to a lane, holds them while there is none, and settles each of them: with its answer, by its
 * deadline (law 3), or when its connection is lost.
 */
export class LaneRouter implements LaneHost, LostCommandsHost {
  readonly lanes: Lanes;
  readonly #host: RouterHost;
  readonly #waiting = new CommandQueue();
  readonly #waitingSweep = new DeadlineSweep(this.#waiting, (command) => this.#expireWaiting(command), {
    swept: () => this.#dropSettled(),
    timerRan: (dueAt, now) => void this.#host.delay.note(dueAt, now),
  });
  /** Those that were refused by a connection that is of no more use, and go again by the next one. */
  readonly #moved = new WeakSet<PoolCommand>();
  /** Of these, the last one that waits: the next comes behind it, and in front of whatever was called later. */
  #lastMoved: PoolCommand | undefined;
  #phase: Phase = { tag: 'open' };

  constructor(host: RouterHost) {
    this.#host = host;
    this.lanes = new Lanes(host.options.lanes, this);
  }

  get waitingCommands(): number {
    return this.#waiting.length;
  }

  /** Takes a command of a caller, whose promise or listener is in place. */
  accept(command: PoolCommand, affinity: Affinity | undefined): void {
    this.#host.pending.accept(command, affinity);
    this.#route(command);
  }

  /** Takes a command of the pool's own: no caller waits for it, or misses it. */
  acceptOwn(command: PoolCommand, affinity: Affinity | undefined): void {
    this.accept(command, affinity);
    command.forsake();
  }

  /** Takes a command that another router had accepted and did not send, or whose server did not run it. */
  adopt(command: PoolCommand): void {
    command.writeNumber = 0;
    this.#route(command);
  }

  /**
   * Sends commands right behind another, which nobody waits for, on one lane. `false`: there is no lane at the moment,
   * and nothing was sent.
   */
  adoptBehind(leader: PoolCommand, commands: readonly PoolCommand[]): boolean {
    const [first] = commands;
    const lane = this.#pick(first?.affinity);
    if (first === undefined || lane === undefined) return false;
    // Settled: it is not sent again, whatever becomes of the connection.
    leader.settled = true;
    leader.deadline = first.deadline;
    this.#host.pending.add(leader);
    this.#send(leader, lane);
    for (const command of commands) {
      command.writeNumber = 0;
      this.#send(command, lane);
    }
    return true;
  }

  /** Takes out, in their order, commands that wait for a connection. */
  takeWaiting(isWanted: (command: PoolCommand) => boolean): PoolCommand[] {
    const taken: PoolCommand[] = [];
    this.#lastMoved = undefined;
    for (const command of this.#waiting.takeAll()) {
      if (!command.settled && isWanted(command)) taken.push(command);
      else this.#waiting.push(command);
    }
    return taken;
  }

  /**
   * Sends what waited, as long as a lane is up. Not while one is retiring: what was sent by it before may still be
   * refused and would come behind what was called later (law 9).
   */
  pump(): void {
    if (this.#waiting.length === 0 || !this.lanes.isUp || this.lanes.isRetiring) return;
    this.#waitingSweep.disarm();
    this.#lastMoved = undefined;
    for (const command of this.#waiting.takeAll()) {
      if (command.settled) this.done(command);
      else this.#route(command);
    }
  }

  /** From now on commands that lose their connection end, with `error` if there is one. */
  close(error: unknown): void {
    this.#phase = { tag: 'closed', error };
  }

  /** Ends what still waits for a connection. */
  failWaiting(): void {
    this.#waitingSweep.disarm();
    this.#lastMoved = undefined;
    for (const command of this.#waiting.takeAll()) {
      const reason = `was closed while ${nameOf(command)} waited for a connection`;
      this.#cut(command, reason, { maybeExecuted: this.#wasSentBefore(command) });
      this.done(command);
    }
  }

  // ---- what lanes tell ----

  get latency(): LatencyHistogram {
    return this.#host.latency;
  }

  get delay(): LoopDelay {
    return this.#host.delay;
  }

  answered(command: PoolCommand): void {
    this.#host.pending.remove(command);
  }

  refused(command: PoolCommand, error: Error, lane: Lane): void {
    if (!command.settled && command.retryAfter(error)) {
      // The server did not run it (NOSCRIPT): it goes again, in another form, within the same deadline.
      this.#route(command);
      return;
    }
    if (!command.settled && this.#host.redirected(command, error)) return;
    if (this.#movesOn(command, error, lane)) {
      this.#wait(command, true);
      return;
    }
    this.counters.errorReplies += 1;
    command.refuse(withoutArguments(Object.assign(error, { command: { name: command.name } })) as Error);
    this.#host.pending.remove(command);
  }

  expired(command: PoolCommand, lane: Lane, now: number): void {
    const elapsedMs = Math.round(now - command.startedAt);
    const reason =
      `got no reply to ${nameOf(command)} after ${elapsedMs} ms ` +
      `(commandTimeoutMs ${this.#host.options.commandTimeoutMs}; ${lane.inFlight} in flight on lane ${lane.index})`;
    const timeSpent = this.#timeSpent(command, now, lane.waiting(command));
    // Even what still lies in the buffer of the socket goes out later.
    const details = { maybeExecuted: true, timeSpent };
    command.fail(this.#host.errors.makeOfMany('RP_ERR_COMMAND_TIMEOUT', reason, details));
  }

  laneLost(_lane: Lane, commands: readonly PoolCommand[], loss: LaneLoss): void {
    if (loss.wasRetiring) this.#noteReplaced();
    const survivors = takeSurvivors(commands, loss, this);
    if (this.#lastMoved === undefined) this.#waiting.prepend(survivors);
    else for (const command of survivors) this.#wait(command, true);
    const oldest = this.#waiting.head;
    if (oldest !== undefined) this.#waitingSweep.arm(oldest.deadline);
    this.#host.laneLost(loss);
    this.pump();
    if (this.#phase.tag === 'open') this.#host.start();
  }

  replaced(): void {
    this.#noteReplaced();
    this.pump();
  }

  // ---- what becomes of the commands of a lost lane ----

  get counters(): Counters {
    return this.#host.counters;
  }

  get maySendAgain(): boolean {
    return this.#phase.tag === 'open';
  }

  done(command: PoolCommand): void {
    this.#host.pending.remove(command);
  }

  fail(command: PoolCommand, maybeExecuted: boolean, { cause }: LaneLoss): void {
    const before = `before ${nameOf(command)} was answered`;
    const details = { cause, maybeExecuted };
    if (this.#phase.tag === 'closed') this.#cut(command, `was closed ${before}`, details);
    else {
      const reason = `lost its connection ${before}`;
      command.fail(this.#host.errors.makeOfMany('RP_ERR_CONNECTION_LOST', reason, details));
    }
    this.done(command);
  }

  #route(command: PoolCommand): void {
    const lane = this.#pick(command.affinity);
    if (lane !== undefined) {
      this.#send(command, lane);
      return;
    }
    this.#wait(command, false);
    this.#host.start();
  }

  #noteReplaced(): void {
    this.counters.replacedConnections += 1;
  }

  #wait(command: PoolCommand, moved: boolean): void {
    if (moved) {
      this.#waiting.insertAfter(this.#lastMoved, command);
      this.#lastMoved = command;
    } else this.#waiting.push(command);
    this.#waitingSweep.arm(command.deadline);
  }

  /**
   * Whether a refused command goes again, by another connection: once, and only alone, since of what left together
   * other parts may have run.
   */
  #movesOn(command: PoolCommand, error: Error, lane: Lane): boolean {
    const reason = uselessness(error);
    if (reason === undefined || this.#phase.tag === 'closed' || this.#moved.has(command)) return false;
    // The others on the same connection are refused for the same reason.
    if (!lane.isRetiring && !this.#host.replaceUseless(reason)) return false;
    if (command.settled || command.batch !== undefined) return false;
    this.#moved.add(command);
    command.writeNumber = 0;
    return true;
  }

  #send(command: PoolCommand, lane: Lane): void {
    try {
      lane.send(command);
    } catch (error) {
      // It is longer than any string can be: its own failure, and nobody else's.
      command.fail(error);
      this.done(command);
    }
  }

  #pick(affinity: Affinity | undefined): Lane | undefined {
    // Nobody overtakes what waits already.
    return this.#waiting.length > 0 ? undefined : this.lanes.pick(affinity);
  }

  #expireWaiting(command: PoolCommand): void {
    const { options, errors, lastDialError } = this.#host;
    const { commandTimeoutMs } = options;
    // Where to is told by the cause: what frameworks answer over HTTP is the message.
    const reason = `has no connection; ${nameOf(command)} waited ${commandTimeoutMs} ms (commandTimeoutMs)`;
    const timeSpent = this.#timeSpent(command, performance.now(), { last: 'connectionMs' });
    const details = { cause: lastDialError, maybeExecuted: this.#wasSentBefore(command), timeSpent };
    command.fail(errors.makeOfMany('RP_ERR_UNAVAILABLE', reason, details));
  }

  #timeSpent(command: PoolCommand, now: number, how: Waiting): TimeSpent {
    const { startedAt } = command;
    const blockedMs = this.#host.delay.blockedSince(startedAt, now);
    return divideTime({ elapsedMs: now - startedAt, blockedMs, ...how });
  }

  /** A read that waits to be sent again may have run the first time. */
  #wasSentBefore(command: PoolCommand): boolean {
    return command.resendsLeft < this.#host.options.retryReads;
  }

  #dropSettled(): void {
    while (this.#waiting.head?.settled) {
      const command = this.#waiting.shift() as PoolCommand;
      if (command === this.#lastMoved) this.#lastMoved = undefined;
      this.done(command);
    }
  }

  /** Fails what the end of the engine leaves without an answer. */
  #cut(command: PoolCommand, reason: string, details: { cause?: unknown; maybeExecuted: boolean }): void {
    if (command.awaiting !== undefined) this.#host.cuts.addCommand(nameOf(command));
    const error = this.#phase.tag === 'closed' ? this.#phase.error : undefined;
    command.fail(error ?? this.#host.errors.make('RP_ERR_CLOSED', reason, details));
  }
}

function nameOf(command: PoolCommand): string {
  return command.profile.name.toUpperCase();
}
