import { EventEmitter } from 'node:events';
import { createCommand, type PoolCommand } from './commands/command.js';
import { CommandDirectory } from './commands/command-directory.js';
import { CommandQueue } from './commands/command-queue.js';
import { DeadlineSweep } from './commands/deadline-sweep.js';
import { isReadOnly, profileOf } from './commands/routing.js';
import { ScriptRegistry } from './commands/script-registry.js';
import { adviseOnConnections } from './connection-advice.js';
import { ConnectionBudget } from './connection-budget.js';
import { Counters } from './counters.js';
import { RedisPoolError, type RedisPoolErrorCode } from './errors/errors.js';
import { withoutArguments } from './errors/sanitize-error.js';
import { HealthCheck } from './health.js';
import { Affinity } from './lanes/affinity.js';
import { Lane, type LaneHost, type LaneLoss } from './lanes/lane.js';
import { type DialerHost, LaneDialer } from './lanes/lane-dialer.js';
import type { LaneLink } from './lanes/lane-link.js';
import { LatencyHistogram } from './lanes/latency-histogram.js';
import { DedicatedClients } from './leases/dedicated.js';
import type { LeaseHost } from './leases/lease-host.js';
import { Leases } from './leases/leases.js';
import { silentLogger } from './options/logger.js';
import { describeEndpoint, type ResolvedOptions } from './options/resolved-options.js';
import { Subscriber, type SubscriberHost } from './subscriber/subscriber.js';
import type { Connection } from './transport/connection.js';
import { type DialError, dial } from './transport/dial.js';

/**
 * - `connecting`: no connection yet.
 * - `ready`: at least one lane is up.
 * - `degraded`: every lane is down after one was up; commands wait for their deadline.
 * - `draining`: the last handle is closing; running work finishes, new work is refused.
 * - `closed`
 */
export type PoolStatus = 'connecting' | 'ready' | 'degraded' | 'draining' | 'closed';

type EngineEvent = 'ready' | 'degraded' | 'restored' | 'close' | 'dialFailed';

/** Of the time to drain, what the QUIT of the subscriber may take. */
const SUBSCRIBER_QUIT_MS = 500;

/** Owns the connections of one pool name in this process. */
export class Engine implements LaneHost, DialerHost, LeaseHost, SubscriberHost {
  readonly options: ResolvedOptions;
  readonly counters = new Counters();
  readonly latency = new LatencyHistogram();
  readonly scripts: ScriptRegistry;
  readonly directory: CommandDirectory;
  readonly lanes: readonly Lane[];
  readonly budget: ConnectionBudget;
  readonly leases: Leases;
  readonly dedicated: DedicatedClients;
  readonly health = new HealthCheck(this);
  readonly subscriber: Subscriber;
  readonly events = new EventEmitter<Record<EngineEvent, []>>();
  readonly #waiting = new CommandQueue();
  readonly #waitingSweep = new DeadlineSweep(this.#waiting, (command) => this.#expireWaiting(command), {
    swept: () => this.#dropSettled(),
  });
  readonly #dialer: LaneDialer;
  #status: PoolStatus = 'connecting';
  #pendingCommands = 0;
  #pendingBytes = 0;
  #cutCommands = 0;
  /** Commands of the pool itself: no caller misses them. */
  readonly #own = new WeakSet<PoolCommand>();
  /** What `destroy()` was given. */
  #endError: unknown;
  #onIdle: () => void = () => {};

  constructor(options: ResolvedOptions) {
    this.options = options;
    this.lanes = Array.from({ length: options.lanes }, (_, index) => new Lane(index, this));
    this.#dialer = new LaneDialer(options, this);
    this.budget = new ConnectionBudget(options.maxConnections, options.lanes);
    this.leases = new Leases(this);
    this.dedicated = new DedicatedClients(this);
    this.subscriber = new Subscriber(this);
    this.scripts = new ScriptRegistry(options.scripts);
    this.directory = new CommandDirectory((command) => this.submit(command, undefined));
    this.events.setMaxListeners(0);
  }

  get status(): PoolStatus {
    return this.#status;
  }

  /** Accepted and not yet answered or dropped. */
  get pendingCommands(): number {
    return this.#pendingCommands;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Left without an answer by the end of the engine: their callers got an error. */
  get cutCommands(): number {
    return this.#cutCommands + this.leases.cutCommands;
  }

  get cutLeases(): number {
    return this.leases.cutLeases;
  }

  get waitingCommands(): number {
    return this.#waiting.length;
  }

  get isUp(): boolean {
    return this.lanes.some((lane) => lane.isUp);
  }

  get lastDialError(): unknown {
    return this.#dialer.lastError;
  }

  get dialer(): LaneDialer {
    return this.#dialer;
  }

  /** Starts to connect, unless it did already; a pool opens nothing before its first use. */
  start(): void {
    this.#dialer.start();
  }

  /** Takes a plain command, whose promise or listener is in place. It is settled by its deadline (law 3). */
  submit(command: PoolCommand, affinity: Affinity | undefined): void {
    const refusal = this.#refusal(1, command.bytes);
    if (refusal === undefined) this.#accept(command, affinity);
    else command.fail(refusal);
  }

  /** Takes commands that leave in one piece, or are refused together. */
  submitBatch(commands: readonly PoolCommand[], affinity: Affinity | undefined): void {
    const refusal = this.#refusal(commands.length, sumOfBytes(commands));
    // One deadline for all: while they wait, no part of them may expire and leave the rest to be sent.
    const startedAt = commands[0]?.startedAt || performance.now();
    for (const command of commands) {
      command.startedAt = startedAt;
      if (refusal === undefined) this.#accept(command, affinity);
      else command.fail(refusal);
    }
  }

  /** A command of the pool's own, over a lane. */
  call(name: string, ...args: string[]): Promise<unknown> {
    const command = createCommand(name, profileOf(name), args, 'utf8', undefined);
    const promise = command.createPromise();
    this.#own.add(command);
    // Also while draining: UNBLOCK is what ends the waits.
    if (this.#status === 'closed') command.fail(this.refusalAtEnd());
    else this.#accept(command, this.lanes.length > 1 ? new Affinity() : undefined);
    return promise;
  }

  // ---- places of the budget ----

  /** A place for something that is neither lane nor lease; an idle lease makes room. */
  reserve(): boolean {
    return this.budget.reserve() || (this.leases.evictOne() && this.budget.reserve());
  }

  reserveOrThrow(): void {
    if (this.#status === 'draining' || this.#status === 'closed') throw this.refusalAtEnd();
    if (this.reserve()) return;
    const reason = `has no connection left: maxConnections ${this.budget.max} is reached`;
    throw this.error('RP_ERR_QUEUE_FULL', reason, { maybeExecuted: false });
  }

  freePlace(): void {
    this.budget.free();
    this.leases.grow();
  }

  /** A connection for the subscriber. */
  open(signal: AbortSignal): Promise<Connection> {
    const opening = dial(this.options, 'subscriber', async (connection) => connection, signal);
    return opening.catch((error: DialError) => {
      this.counters.countError(error.code);
      throw error;
    });
  }

  free(): void {
    this.freePlace();
  }

  leaseReturned(): void {
    this.#tellIfIdle();
  }

  // ---- what lanes tell ----

  answered(command: PoolCommand): void {
    this.#release(command);
  }

  refused(command: PoolCommand, error: Error): void {
    if (!command.settled && command.retryAfter(error)) {
      // The server did not run it (NOSCRIPT): it goes again, in another form, within the same deadline.
      this.#route(command);
      return;
    }
    this.counters.errorReplies += 1;
    command.refuse(withoutArguments(Object.assign(error, { command: { name: command.name } })) as Error);
    this.#release(command);
  }

  expired(command: PoolCommand, lane: Lane, now: number): void {
    const elapsedMs = Math.round(now - command.startedAt);
    const message =
      `${this.#label}: no reply to ${command.profile.name.toUpperCase()} after ${elapsedMs} ms ` +
      `(commandTimeoutMs ${this.options.commandTimeoutMs}; ${lane.inFlight} in flight on lane ${lane.index})`;
    // Even what still lies in the buffer of the socket goes out later.
    command.fail(withoutStack(() => this.#error('RP_ERR_COMMAND_TIMEOUT', message, { maybeExecuted: true })));
  }

  laneLost(lane: Lane, commands: readonly PoolCommand[], loss: LaneLoss): void {
    this.counters.lostConnections += 1;
    const again = commands.filter((command) => this.#survives(command, loss));
    this.#waiting.prepend(again);
    const oldest = this.#waiting.head;
    if (oldest !== undefined) this.#waitingSweep.arm(oldest.deadline);
    this.#reportLoss(lane, loss);
    this.#pump();
    if (this.#status !== 'closed') this.#dialer.start();
  }

  // ---- what the dialer tells ----

  nextLaneDown(): Lane | undefined {
    return this.lanes.find((lane) => !lane.isUp);
  }

  connected(lane: Lane, connection: Connection, link: LaneLink): void {
    lane.attach(connection, link);
    const before = this.#status;
    const fields = { pool: this.options.name, lane: lane.index, link: link.kind };
    this.options.logger.info(fields, `${this.#label} is connected to ${describeEndpoint(this.options)}`);
    if (before === 'connecting' || before === 'degraded') {
      this.#status = 'ready';
      this.#emit(before === 'connecting' ? 'ready' : 'restored');
    }
    // For the log only, and only where there is one.
    if (before === 'connecting' && this.options.logger !== silentLogger)
      adviseOnConnections(this).catch(() => {});
    this.leases.laneConnected();
    this.#pump();
  }

  dialFailed(error: DialError, attempt: number, retryInMs: number): void {
    this.counters.countError(error.code);
    // One line when it starts; how it goes on is in stats().
    if (attempt === 1) {
      const fields = { pool: this.options.name, code: error.code, retryInMs };
      this.options.logger.warn(fields, error.message);
    }
    this.#emit('dialFailed');
  }

  // ---- end ----

  /** Refuses new work and resolves when nothing is pending any more, at the latest after `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    this.#status = 'draining';
    this.leases.drain();
    void this.subscriber.close(Math.min(limitMs, SUBSCRIBER_QUIT_MS));
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Closes the connections, with QUIT for at most `quitLimitMs` each, and fails what still waits. */
  async shut(quitLimitMs: number, error?: unknown): Promise<void> {
    this.#status = 'closed';
    this.#endError ??= error;
    // A drain that still waits has nothing more to wait for.
    this.#onIdle();
    const leasesClosed = this.leases.destroy(this.#endError);
    const dedicatedClosed = this.dedicated.close();
    if (quitLimitMs <= 0) this.subscriber.destroy(this.#endError);
    const subscriberClosed = this.subscriber.close(quitLimitMs);
    const dialerStopped = this.#dialer.stop();
    const connections = this.lanes.flatMap((lane) => lane.connection ?? []);
    for (const connection of connections) {
      if (quitLimitMs > 0) connection.quit(quitLimitMs);
      else connection.destroy();
    }
    this.#failWaiting();
    // Not before what was in flight is settled too.
    await Promise.all([
      dialerStopped,
      leasesClosed,
      dedicatedClosed,
      subscriberClosed,
      ...connections.map(({ gone }) => gone),
    ]);
    this.#emit('close');
    this.events.removeAllListeners();
  }

  error(
    code: RedisPoolErrorCode,
    reason: string,
    details: { cause?: unknown; maybeExecuted?: boolean } = {},
  ) {
    return this.#error(code, `${this.#label} ${reason}`, details);
  }

  get #label(): string {
    return `Redis pool "${this.options.name}"`;
  }

  #accept(command: PoolCommand, affinity: Affinity | undefined): void {
    this.#pendingCommands += 1;
    this.#pendingBytes += command.bytes;
    this.counters.commands += 1;
    if (command.startedAt === 0) command.startedAt = performance.now();
    command.deadline = command.startedAt + this.options.commandTimeoutMs;
    command.resendsLeft = this.options.retryReads;
    if (affinity !== undefined) {
      command.affinity = affinity;
      affinity.unanswered += 1;
    }
    this.#route(command);
  }

  #refusal(commands: number, bytes: number): RedisPoolError | undefined {
    if (this.#status === 'draining' || this.#status === 'closed') return this.refusalAtEnd();
    const { maxPending } = this.options;
    const tooMany = this.#pendingCommands + commands > maxPending.commands;
    // A command that is larger than the bound by itself may pass when nothing else is pending.
    const tooLarge = this.#pendingBytes + bytes > maxPending.bytes && this.#pendingCommands > 0;
    if (!tooMany && !tooLarge) return undefined;
    const what = tooMany ? `commands ${maxPending.commands}` : `bytes ${maxPending.bytes}`;
    const state = `${this.#pendingCommands} commands, ${this.#pendingBytes} bytes pending`;
    return this.error(
      'RP_ERR_QUEUE_FULL',
      `takes no more commands: maxPending.${what} is reached (${state})`,
      {
        maybeExecuted: false,
      },
    );
  }

  /** What is told to who comes after the end began. */
  refusalAtEnd(): RedisPoolError {
    const closed = this.#status === 'closed';
    const reason = closed ? 'is closed' : 'is closing and takes no new commands';
    return this.error(closed ? 'RP_ERR_CLOSED' : 'RP_ERR_CLOSING', reason, { maybeExecuted: false });
  }

  #route(command: PoolCommand): void {
    const lane = this.#pick(command.affinity);
    if (lane !== undefined) {
      this.#send(command, lane);
      return;
    }
    this.#waiting.push(command);
    this.#waitingSweep.arm(command.deadline);
    this.#dialer.start();
  }

  #send(command: PoolCommand, lane: Lane): void {
    try {
      lane.send(command);
    } catch (error) {
      // It is longer than any string can be: its own failure, and nobody else's.
      command.fail(error);
      this.#release(command);
    }
  }

  #pick(affinity: Affinity | undefined): Lane | undefined {
    // Nobody overtakes what waits already.
    if (this.#waiting.length > 0) return undefined;
    if (affinity === undefined) return this.#leastBusy();
    if (affinity.unanswered <= 1 || !affinity.lane?.isUp) affinity.lane = this.#leastBusy();
    return affinity.lane;
  }

  #leastBusy(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.lanes) {
      if (lane.isUp && (best === undefined || lane.inFlight < best.inFlight)) best = lane;
    }
    return best;
  }

  /** Sends what waited, as long as a lane is up. */
  #pump(): void {
    if (this.#waiting.length === 0 || !this.lanes.some((lane) => lane.isUp)) return;
    this.#waitingSweep.disarm();
    for (const command of this.#waiting.takeAll()) {
      if (command.settled) this.#release(command);
      else this.#route(command);
    }
  }

  #survives(command: PoolCommand, loss: LaneLoss): boolean {
    if (command.settled) {
      this.#release(command);
      return false;
    }
    const wasSent = (one: PoolCommand) => one.writeNumber !== 0 && one.writeNumber <= loss.lastWriteNumber;
    const mayGo = this.#status !== 'closed' && this.#mayGoAgain(command, wasSent);
    if (!mayGo) {
      this.#failLost(command, wasSent(command.batch?.decisive ?? command), loss);
      return false;
    }
    command.writeNumber = 0;
    return true;
  }

  /** Law 2: what was put on the wire is not put there again, but for reads that stand alone. */
  #mayGoAgain(command: PoolCommand, wasSent: (one: PoolCommand) => boolean): boolean {
    if (command.batch !== undefined) return !wasSent(command.batch.first);
    if (!wasSent(command)) return true;
    if (command.resendsLeft === 0 || !isReadOnly(command.profile, command.args)) return false;
    command.resendsLeft -= 1;
    this.counters.resends += 1;
    return true;
  }

  #failLost(command: PoolCommand, maybeExecuted: boolean, loss: LaneLoss): void {
    const name = command.profile.name.toUpperCase();
    const { cause } = loss;
    const details = { cause, maybeExecuted };
    if (this.#status === 'closed') this.#cut(command, `was closed before ${name} was answered`, details);
    else {
      const reason = `lost its connection before ${name} was answered`;
      command.fail(withoutStack(() => this.error('RP_ERR_CONNECTION_LOST', reason, details)));
    }
    this.#release(command);
  }

  #expireWaiting(command: PoolCommand): void {
    const { commandTimeoutMs } = this.options;
    const reason = `has no connection to ${describeEndpoint(this.options)}; ${command.profile.name.toUpperCase()} waited ${commandTimeoutMs} ms (commandTimeoutMs)`;
    const maybeExecuted = this.#wasSentBefore(command);
    const details = { cause: this.#dialer.lastError, maybeExecuted };
    command.fail(withoutStack(() => this.error('RP_ERR_UNAVAILABLE', reason, details)));
  }

  /** A read that waits to be sent again may have run the first time. */
  #wasSentBefore(command: PoolCommand): boolean {
    return command.resendsLeft < this.options.retryReads;
  }

  #dropSettled(): void {
    while (this.#waiting.head?.settled) this.#release(this.#waiting.shift() as PoolCommand);
  }

  #failWaiting(): void {
    this.#waitingSweep.disarm();
    for (const command of this.#waiting.takeAll()) {
      const reason = `was closed while ${command.profile.name.toUpperCase()} waited for a connection`;
      this.#cut(command, reason, { maybeExecuted: this.#wasSentBefore(command) });
      this.#release(command);
    }
  }

  /** Fails what the end of the engine leaves without an answer. */
  #cut(command: PoolCommand, reason: string, details: { cause?: unknown; maybeExecuted: boolean }): void {
    if (!command.settled && !this.#own.has(command)) this.#cutCommands += 1;
    command.fail(this.#endError ?? this.error('RP_ERR_CLOSED', reason, details));
  }

  #release(command: PoolCommand): void {
    this.#pendingCommands -= 1;
    this.#pendingBytes -= command.bytes;
    if (command.affinity !== undefined) command.affinity.unanswered -= 1;
    if (this.#pendingCommands === 0) this.#tellIfIdle();
  }

  #isIdle(): boolean {
    return this.#pendingCommands === 0 && this.leases.counts.leased === 0;
  }

  #tellIfIdle(): void {
    if (this.#isIdle()) this.#onIdle();
  }

  #reportLoss(lane: Lane, loss: LaneLoss): void {
    if (this.#status !== 'ready') return;
    const fields = { pool: this.options.name, lane: lane.index, cause: loss.cause?.message };
    this.options.logger.warn(
      fields,
      `${this.#label} lost its connection to ${describeEndpoint(this.options)}`,
    );
    if (this.lanes.some((other) => other.isUp)) return;
    this.#status = 'degraded';
    this.#emit('degraded');
  }

  /** What a listener throws is uncaught, as from any emitter, but keeps the engine from nothing. */
  #emit(event: EngineEvent): void {
    for (const listener of this.events.rawListeners(event)) {
      try {
        listener();
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  #error(code: RedisPoolErrorCode, message: string, details: { cause?: unknown; maybeExecuted?: boolean }) {
    this.counters.countError(code);
    return new RedisPoolError(code, message, details);
  }
}

/**
 * Makes the error of one of perhaps ten thousand calls that end in one moment: all that a stack could show is the
 * timer or the socket that ended them, and it is two thirds of the cost (law 3 leaves 50 ms for all of them).
 */
function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  // Not by assignment, which throws where intrinsics are frozen.
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

function sumOfBytes(commands: readonly PoolCommand[]): number {
  return commands.reduce((sum, command) => sum + command.bytes, 0);
}
