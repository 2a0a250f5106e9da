import type { CommandOwner, PoolCommand } from '../commands/command.js';
import { CommandQueue } from '../commands/command-queue.js';
import { DeadlineSweep } from '../commands/deadline-sweep.js';
import type { Waiting } from '../errors/time-spent.js';
import type { Connection } from '../transport/connection.js';
import type { LoopDelay } from '../transport/loop-delay.js';
import type { LaneLink } from './lane-link.js';
import type { LatencyHistogram } from './latency-histogram.js';

/** What a lane tells its engine. */
export interface LaneHost {
  readonly latency: LatencyHistogram;
  readonly delay: LoopDelay;
  answered(command: PoolCommand): void;
  refused(command: PoolCommand, error: Error, lane: Lane): void;
  /** A lane has left the connection that it was told to retire, and has the next one if there was one. */
  replaced(lane: Lane): void;
  expired(command: PoolCommand, lane: Lane, now: number): void;
  /** The commands that were in flight, in their order; those already settled included. */
  laneLost(lane: Lane, commands: readonly PoolCommand[], loss: LaneLoss): void;
}

export interface LaneLoss {
  readonly cause: Error | undefined;
  /** Commands with a higher write number never reached the socket. */
  readonly lastWriteNumber: number;
  /** Whether it was to go anyway. */
  readonly wasRetiring: boolean;
}

/** A connection and the way onto it. */
export interface LaneConnection {
  readonly connection: Connection;
  readonly link: LaneLink;
}

/** `retiring`: nothing more is sent; when all is answered the connection makes room for `next`, or ends. */
type LaneState =
  | { readonly tag: 'down' }
  | ({ readonly tag: 'up' } & LaneConnection)
  | ({ readonly tag: 'retiring'; readonly next: LaneConnection | undefined } & LaneConnection);

/** How long a connection that was left may take to end. */
const QUIT_MS = 1_000;

const DOWN: LaneState = { tag: 'down' };

/** Counters of one lane over all its connections. */
export interface LaneCounters {
  commands: number;
  flushes: number;
  connections: number;
}

/**
 * A shared connection that carries the commands of everybody, answered in the order in which they were sent.
 *
 * Law 1: a written command never leaves the queue before its reply; giving up on it only detaches its caller.
 */
export class Lane implements CommandOwner {
  readonly index: number;
  readonly counters: LaneCounters = { commands: 0, flushes: 0, connections: 0 };
  readonly #host: LaneHost;
  readonly #inFlight = new CommandQueue();
  readonly #sweep: DeadlineSweep;
  #state: LaneState = DOWN;
  /** When its connection came up: what was called before then has waited for it. */
  #upSince = 0;
  /** Called when the command in front of them is answered, in the order of those commands. */
  #marks: { readonly last: PoolCommand; readonly passed: () => void }[] = [];

  constructor(index: number, host: LaneHost) {
    this.index = index;
    this.#host = host;
    this.#sweep = new DeadlineSweep(this.#inFlight, (command, now) => host.expired(command, this, now), {
      received: () => this.connection?.socket.bytesRead ?? 0,
      timerRan: (dueAt, now) => void host.delay.note(dueAt, now),
    });
  }

  get isUp(): boolean {
    return this.#state.tag === 'up';
  }

  /** Answers what it has, and then changes its connection. */
  get isRetiring(): boolean {
    return this.#state.tag === 'retiring';
  }

  get isDown(): boolean {
    return this.#state.tag === 'down';
  }

  get connection(): Connection | undefined {
    return this.#state.tag === 'down' ? undefined : this.#state.connection;
  }

  get linkKind(): LaneLink['kind'] | 'none' {
    return this.#state.tag === 'down' ? 'none' : this.#state.link.kind;
  }

  /** Written and unanswered commands, those that timed out included: their replies are still to come. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** How long the oldest unanswered command waits, in milliseconds. */
  oldestAgeMs(now: number): number {
    const oldest = this.#inFlight.head;
    return oldest === undefined ? 0 : now - oldest.startedAt;
  }

  attach({ connection, link }: LaneConnection): void {
    this.#state = { tag: 'up', connection, link };
    this.#upSince = performance.now();
    this.counters.connections += 1;
    connection.coalescer.watch(() => this.#inFlight.length);
    connection.onLost((cause) => this.#detach(connection, cause));
  }

  /**
   * Sends nothing more on its connection, and leaves it when everything is answered: to `next`, or, with a `cause`, to
   * nothing. Only while the lane is up.
   */
  retire(next: LaneConnection | undefined, cause?: Error): void {
    if (this.#state.tag !== 'up') return;
    const { connection, link } = this.#state;
    this.#state = { tag: 'retiring', connection, link, next };
    // Answered behind everything else. When the connection goes instead, that is heard of elsewhere.
    const answered = (): void => {
      if (this.connection === connection && !connection.lost) this.#leave(cause);
    };
    connection.redis.ping().then(answered, answered);
  }

  /** Only while the lane is up. */
  send(command: PoolCommand): void {
    if (this.#state.tag !== 'up') throw new Error('A lane that is down takes no command');
    command.owner = this;
    this.#state.link.send(command);
    this.#inFlight.push(command);
    this.counters.commands += 1;
    this.#sweep.arm(command.deadline);
  }

  waiting({ startedAt }: PoolCommand): Waiting {
    const connectionMs = Math.max(0, this.#upSince - startedAt);
    return { last: (this.connection?.unsentBytes ?? 0) > 0 ? 'socketMs' : 'serverMs', connectionMs };
  }

  /** Calls back when everything that is in flight now is answered or lost; at once when nothing is. */
  afterInFlight(passed: () => void): void {
    const last = this.#inFlight.tail;
    if (last === undefined) passed();
    else this.#marks.push({ last, passed });
  }

  replied(command: PoolCommand, reply: unknown): void {
    if (!this.#takeOut(command)) return;
    command.fulfil(reply, this.linkKind === 'direct');
    this.#host.answered(command);
    if (this.#marks.length > 0) this.#pass(command);
  }

  refused(command: PoolCommand, error: Error): void {
    if (!this.#takeOut(command)) return;
    this.#host.refused(command, error, this);
    if (this.#marks.length > 0) this.#pass(command);
  }

  #pass(command: PoolCommand): void {
    while (this.#marks[0]?.last === command) this.#marks.shift()?.passed();
  }

  #takeOut(command: PoolCommand): boolean {
    if (this.#inFlight.head !== command) {
      // Replies and commands have come apart. Nothing on this connection can be trusted any more, and no
      // caller gets this reply.
      this.connection?.destroy(new Error('A reply came out of order'));
      return false;
    }
    this.#inFlight.shift();
    command.owner = undefined;
    this.#host.latency.record(command.startedAt);
    return true;
  }

  /** Everything is answered. */
  #leave(cause: Error | undefined): void {
    const state = this.#state;
    if (state.tag !== 'retiring') return;
    if (state.next === undefined || state.next.connection.lost) {
      state.connection.destroy(cause);
      return;
    }
    this.counters.flushes += state.connection.coalescer.flushes;
    this.attach(state.next);
    void state.connection.quit(QUIT_MS);
    this.#host.replaced(this);
  }

  #detach(connection: Connection, cause: Error | undefined): void {
    const state = this.#state;
    // One that was left, or is next.
    if (state.tag === 'down' || state.connection !== connection) return;
    const wasRetiring = state.tag === 'retiring';
    this.#state = DOWN;
    this.#sweep.disarm();
    const { flushed, flushes } = connection.coalescer;
    this.counters.flushes += flushes;
    const commands = this.#inFlight.takeAll();
    if (state.tag === 'retiring' && state.next?.connection.lost === false) this.attach(state.next);
    this.#host.laneLost(this, commands, { cause, lastWriteNumber: flushed, wasRetiring });
    for (const { passed } of this.#marks.splice(0)) passed();
  }
}
