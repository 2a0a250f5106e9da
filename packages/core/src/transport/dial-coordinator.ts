import type { ConnectionRole } from '../options/options.js';
import type { Connection } from './connection.js';
import { ConnectionLog } from './connection-log.js';
import { type DialError, LoadingError } from './dial.js';
import { DialPace } from './dial-pace.js';
import { type Destination, openConnection } from './open-connection.js';

/** A connection that ends so soon costs the server as much as one that it refused, and is paused for as one. */
export const SHORT_LIFE_MS = 1_000;

/** Somebody who wants to dial. */
interface Turn {
  readonly role: ConnectionRole;
  notBefore: number;
  start(): void;
}

/** Connections of one role in a row that ended soon, and when the next may be made. */
interface Flapping {
  count: number;
  notBefore: number;
}

/**
 * Everything of an engine that dials asks here for its turn (law 8): after a failure or a loss one attempt is in
 * flight at a time, with pauses that grow; when one succeeds the others follow, spread over a short while. It never
 * gives up.
 */
export class DialCoordinator {
  attempts = 0;
  /** Attempts in a row that failed. */
  failures = 0;
  /** Of the last attempt, until one succeeds. */
  lastError: DialError | undefined;
  /** Connections that are up, with the time at which they came up. */
  readonly live = new Map<Connection, number>();
  readonly #destination: Destination;
  readonly #onFailed: (error: DialError) => void;
  readonly #pace: DialPace;
  readonly #log: ConnectionLog;
  readonly #flapping = new Map<ConnectionRole, Flapping>();
  #turns: Turn[] = [];
  #inFlight = 0;
  /** Whether the last that was heard of the server is that it takes connections. */
  #isProven = false;
  #everConnected = false;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(destination: Destination, onFailed: (error: DialError) => void) {
    const { options } = destination;
    this.#destination = destination;
    this.#onFailed = onFailed;
    this.#pace = new DialPace(options);
    this.#log = new ConnectionLog(options);
  }

  /**
   * Waits for its turn and makes one attempt, within `connectTimeoutMs` of then; see {@link openConnection}.
   *
   * @throws DialError; the reason of `signal` while it waits.
   */
  async dial<T>(
    role: ConnectionRole,
    prepare: (connection: Connection) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    await this.#turn(role, signal);
    this.attempts += 1;
    let made: Connection | undefined;
    const watched = (connection: Connection): Promise<T> => {
      made = connection;
      // Before its owner, who may want to dial again at once.
      connection.onLost((cause) => this.#lost(connection, cause));
      return prepare(connection);
    };
    try {
      const steps = { prepare: watched, loading: (error: LoadingError) => this.#loading(role, error) };
      const result = await openConnection(this.#destination, role, steps, signal);
      this.#succeeded(made as unknown as Connection);
      return result;
    } catch (error) {
      if (!signal.aborted) this.#failed(role, error as DialError);
      throw error;
    } finally {
      this.#inFlight -= 1;
      this.#next();
    }
  }

  /**
   * Waits for the turn of an attempt that somebody else makes, and returns what passes the turn on. Rejects with the
   * reason of `signal` while it waits.
   */
  async takeTurn(role: ConnectionRole, signal: AbortSignal): Promise<() => void> {
    await this.#turn(role, signal);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#inFlight -= 1;
      this.#next();
    };
  }

  /** Has all of a role wait after so many failures in a row; `undefined`: not any more. */
  pause(role: ConnectionRole, failures: number | undefined): void {
    const delayMs = failures ? this.#pace.after(failures).delayMs : this.#pace.spread();
    if (failures === undefined) this.#flapping.delete(role);
    else this.#flapping.set(role, { count: failures, notBefore: performance.now() + delayMs });
  }

  /** Whether the last that was heard of the server is that it loads its data. */
  get isLoading(): boolean {
    return this.lastError instanceof LoadingError;
  }

  /** Ends the pauses: something has changed since the last attempt failed. */
  retryNow(): void {
    this.failures = 0;
    this.#notBefore = 0;
    this.#flapping.clear();
    this.#next();
  }

  #turn(role: ConnectionRole, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#turns = this.#turns.filter((other) => other !== turn);
        reject(signal.reason);
        this.#next();
      };
      const start = (): void => {
        signal.removeEventListener('abort', leave);
        this.#inFlight += 1;
        resolve();
      };
      const turn: Turn = { role, notBefore: 0, start };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      this.#turns.push(turn);
      this.#next();
    });
  }

  /** Starts whose turn it is, and comes back when it is the next one's. */
  #next(): void {
    clearTimeout(this.#timer);
    while (this.#turns.length > 0 && (this.#isProven || this.#inFlight === 0)) {
      const [turn, dueAt] = this.#earliest();
      const delayMs = dueAt - performance.now();
      if (delayMs > 0) {
        this.#timer = setTimeout(() => this.#next(), delayMs);
        return;
      }
      this.#turns = this.#turns.filter((other) => other !== turn);
      turn.start();
    }
  }

  #earliest(): [turn: Turn, dueAt: number] {
    const due = this.#turns.map((turn): [Turn, number] => [turn, this.#dueAt(turn)]);
    return due.reduce((best, other) => (other[1] < best[1] ? other : best));
  }

  #dueAt({ role, notBefore }: Turn): number {
    return Math.max(notBefore, this.#notBefore, this.#flapping.get(role)?.notBefore ?? 0);
  }

  #succeeded(connection: Connection): void {
    if (!this.#isProven && (this.#everConnected || this.failures > 0)) this.#spreadTurns();
    this.failures = 0;
    this.lastError = undefined;
    this.#isProven = true;
    this.#everConnected = true;
    this.#notBefore = 0;
    this.#log.connected(connection.role);
    this.live.set(connection, performance.now());
    // It went in the moment in which it was done, and its listener was told too early.
    if (connection.lost) this.#lost(connection, undefined);
  }

  /** Those who waited for the first success follow one after another. */
  #spreadTurns(): void {
    let notBefore = performance.now();
    for (const turn of this.#turns) {
      notBefore += this.#pace.spread();
      turn.notBefore = notBefore;
    }
  }

  /** It answers, and the attempt goes on: no failure. */
  #loading(role: ConnectionRole, error: LoadingError): void {
    this.failures = 0;
    this.lastError = error;
    this.#isProven = false;
    this.#notBefore = 0;
    this.#log.loading(role, error);
  }

  #failed(role: ConnectionRole, error: DialError): void {
    // It has loaded for so long that the address is worth another look, at once.
    if (error instanceof LoadingError) return;
    this.failures += 1;
    this.lastError = error;
    this.#isProven = false;
    const { delayMs, longestMs } = this.#pace.afterError(this.failures, error);
    this.#notBefore = performance.now() + delayMs;
    this.#log.failed(role, error, Math.round(longestMs));
    this.#onFailed(error);
  }

  #lost(connection: Connection, cause: Error | undefined): void {
    const upSince = this.live.get(connection);
    // Lost before it was of use, which fails the attempt; or ended by the pool itself.
    if (!this.live.delete(connection) || upSince === undefined || connection.endedByPool) return;
    const now = performance.now();
    this.#isProven = false;
    this.#notBefore = Math.max(this.#notBefore, now + this.#pace.spread());
    const count = now - upSince < SHORT_LIFE_MS ? (this.#flapping.get(connection.role)?.count ?? 0) + 1 : 0;
    const notBefore = count === 0 ? 0 : now + this.#pace.after(count).delayMs;
    this.#flapping.set(connection.role, { count, notBefore });
    this.#log.lost(connection.role, cause);
  }
}
