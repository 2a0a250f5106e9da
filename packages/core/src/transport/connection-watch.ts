import type { Counters } from '../counters.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from './connection.js';
import type { LoopDelay } from './loop-delay.js';

/** However short `commandTimeoutMs` is: a server that pauses for less (a fork, a slow script) is slow, not gone. */
export const SHORTEST_STALL_MS = 1_000;
/** After this a silent server is suspected: others may know already that it is gone. */
const SUSPICIOUS_MS = 1_000;
/** Longest time between two looks. */
const LONGEST_TICK_MS = 1_000;
/** A gap in time after which connections may have died unseen: the machine slept, or the loop was blocked for long. */
const GAP_MS = 5_000;
/** How long a server may take to answer after such a gap. */
const PROBE_MS = 1_000;

/** What the watch needs of its engine. */
export interface WatchHost {
  readonly options: ResolvedOptions;
  readonly counters: Counters;
  readonly delay: LoopDelay;
  /** The server owes a reply on some connection and has sent nothing there for a second. */
  fellSilent(): void;
}

/** A connection to watch, and what is known about it elsewhere. */
export interface Watched {
  readonly connection: Connection;
  /** Commands whose replies the server owes by now. What it may hold back for as long as it likes does not count. */
  owed(): number;
  /** Whether a PING may be sent at this moment. */
  mayPing(): boolean;
}

/**
 * Finds connections whose other end is gone without a word, and ends them: those that owe a reply and have received
 * nothing for as long as a command may take. Where nothing is owed for `heartbeatMs`, a PING makes it so.
 *
 * One timer for all of them, which keeps no process alive; it does nothing per command. Time is counted from look to
 * look, so that a blocked event loop or a machine that slept counts for no more than one look, and every look comes
 * after a turn in which sockets were read.
 */
export class ConnectionWatch {
  readonly stallMs: number;
  readonly #heartbeatMs: number;
  readonly #tickMs: number;
  readonly #host: WatchHost;
  readonly #entries = new Map<Connection, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #wallAt = 0;
  #isClosed = false;

  constructor(host: WatchHost) {
    const { commandTimeoutMs, heartbeatMs } = host.options;
    this.stallMs = Math.max(commandTimeoutMs, SHORTEST_STALL_MS);
    this.#heartbeatMs = heartbeatMs === 0 ? Number.POSITIVE_INFINITY : heartbeatMs;
    this.#tickMs = Math.ceil(Math.min(LONGEST_TICK_MS, this.stallMs / 4, this.#heartbeatMs / 2));
    this.#host = host;
  }

  /** Whether the server owes a reply and has sent nothing for a second, on any of the connections. */
  get isSilent(): boolean {
    return [...this.#entries].some(([{ lost }, { isSilent }]) => isSilent && !lost);
  }

  /** From now on, until it is lost. */
  add(watched: Watched): void {
    if (this.#isClosed || watched.connection.lost) return;
    this.#entries.set(watched.connection, new Entry(watched));
    if (this.#timer === undefined) this.#schedule();
  }

  /** Ends a connection that was silent for so long while a reply was owed. */
  giveUp(connection: Connection, silentMs: number): void {
    this.#host.counters.stalls += 1;
    connection.destroy(
      new Error(`The server has sent nothing for ${Math.round(silentMs)} ms while it owed a reply`),
    );
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#entries.clear();
  }

  #schedule(): void {
    this.#dueAt = performance.now() + this.#tickMs;
    this.#wallAt = Date.now() + this.#tickMs;
    this.#timer = setTimeout(this.#onTimer, this.#tickMs);
    this.#timer.unref();
  }

  readonly #onTimer = (): void => {
    const lateMs = this.#host.delay.note(this.#dueAt, performance.now());
    // While a machine sleeps, the one clock stands still and the other does not.
    const gapMs = Math.max(lateMs, Date.now() - this.#wallAt);
    // Timers run before I/O: read first, judge after.
    setImmediate(() => this.#look(gapMs));
  };

  #look(gapMs: number): void {
    this.#timer = undefined;
    for (const [connection, entry] of this.#entries) {
      if (connection.lost) this.#entries.delete(connection);
      else this.#judge(entry, gapMs);
    }
    if (!this.#isClosed && this.#entries.size > 0) this.#schedule();
  }

  #judge(entry: Entry, gapMs: number): void {
    const { connection } = entry.watched;
    const isSuspect = gapMs > this.#tickMs;
    const wasSilent = entry.isSilent;
    entry.look(this.#tickMs);
    if (entry.isSilent && !wasSilent) this.#host.fellSilent();
    if (entry.owedMs >= Math.min(this.stallMs, entry.pingLimitMs)) {
      if (entry.isPinging) this.#host.counters.heartbeatsFailed += 1;
      this.giveUp(connection, entry.owedMs);
    } else if (!entry.owes && (isSuspect || entry.quietMs >= this.#heartbeatMs) && entry.watched.mayPing()) {
      this.#host.counters.heartbeats += 1;
      entry.ping(gapMs > GAP_MS ? PROBE_MS : this.stallMs);
    }
  }
}

/** What is known of one connection. */
class Entry {
  readonly watched: Watched;
  /** Since when a reply is owed and nothing was received, as far as it was looked at. */
  owedMs = 0;
  /** Since when nothing was received. */
  quietMs = 0;
  isPinging = false;
  /** How long a PING may take, as long as nothing else is owed. */
  pingLimitMs = Number.POSITIVE_INFINITY;
  owes = false;
  #received: number;

  constructor(watched: Watched) {
    this.watched = watched;
    this.#received = watched.connection.socket.bytesRead;
  }

  get isSilent(): boolean {
    return this.owedMs >= SUSPICIOUS_MS;
  }

  look(elapsedMs: number): void {
    const { bytesRead } = this.watched.connection.socket;
    const owedBefore = this.owes;
    const owed = this.watched.owed();
    this.owes = this.isPinging || owed > 0;
    if (owed > 0) this.pingLimitMs = Number.POSITIVE_INFINITY;
    if (bytesRead !== this.#received) {
      this.#received = bytesRead;
      this.owedMs = 0;
      this.quietMs = 0;
      return;
    }
    this.quietMs += elapsedMs;
    this.owedMs = this.owes && owedBefore ? this.owedMs + elapsedMs : 0;
  }

  ping(limitMs: number): void {
    this.isPinging = true;
    this.pingLimitMs = limitMs;
    this.owes = true;
    const answered = (): void => {
      this.isPinging = false;
    };
    // A refused PING is an answer, too.
    this.watched.connection.redis.ping().then(answered, answered);
  }
}
