import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import { type DialError, dial } from '../transport/dial.js';
import type { Lane } from './lane.js';
import type { LaneLink } from './lane-link.js';
import { type LinkPolicy, openLaneLink } from './open-lane-link.js';

/** A refused password or certificate does not get better in milliseconds. */
const FATAL_DELAY_MS = 30_000;

/** A connection that ends so soon costs the server as much as one that it refused, and is paused for as one. */
const SHORT_LIFE_MS = 1_000;

export interface DialerHost {
  nextLaneDown(): Lane | undefined;
  connected(lane: Lane, connection: Connection, link: LaneLink): void;
  dialFailed(error: DialError, attempt: number, retryInMs: number): void;
}

/**
 * Brings lanes up: one attempt in flight at a time (law 8), full jitter between attempts, and no end to trying.
 */
export class LaneDialer {
  /** Attempts in a row that failed. */
  failures = 0;
  attempts = 0;
  lastError: DialError | undefined;
  readonly #options: ResolvedOptions;
  readonly #host: DialerHost;
  readonly #policy: LinkPolicy = { direct: true };
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #everConnected = false;
  /** When each lane last came up. */
  readonly #upSince = new Map<Lane, number>();
  /** Connections in a row that ended soon. */
  #shortLives = 0;
  #wake: () => void = () => {};

  constructor(options: ResolvedOptions, host: DialerHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Idempotent: to be called whenever a lane may be down. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#run();
  }

  /** Gives up the attempt in flight; resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake();
    await this.#running;
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    // The first step is asynchronous, so that start() is over before the host hears of anything.
    await undefined;
    for (let lane = this.#laneToDial(); lane !== undefined; lane = this.#laneToDial()) {
      await this.#sleep(this.#nextDelayMs(lane));
      if (!this.#stopped) await this.#attempt(lane);
    }
    // In the same step as the last look, so that no lane can go down unseen in between.
    this.#running = undefined;
  }

  #laneToDial(): Lane | undefined {
    return this.#stopped ? undefined : this.#host.nextLaneDown();
  }

  async #attempt(lane: Lane): Promise<void> {
    this.attempts += 1;
    try {
      const prepare = async (connection: Connection) => ({
        connection,
        link: await openLaneLink(connection, this.#policy),
      });
      const { connection, link } = await dial(this.#options, 'lane', prepare, this.#abort.signal);
      if (this.#stopped) {
        // Stopped in the moment in which it came up: nobody would ever close it.
        connection.destroy();
        await connection.gone;
        return;
      }
      this.failures = 0;
      this.lastError = undefined;
      this.#everConnected = true;
      this.#upSince.set(lane, performance.now());
      this.#host.connected(lane, connection, link);
    } catch (error) {
      this.failures += 1;
      this.lastError = error as DialError;
      if (!this.#stopped) this.#host.dialFailed(this.lastError, this.failures, this.#ceilingMs());
    }
  }

  #nextDelayMs(lane: Lane): number {
    this.#noteLife(lane);
    const { minDelayMs } = this.#options.reconnect;
    if (this.failures + this.#shortLives > 0)
      return minDelayMs + Math.random() * (this.#ceilingMs() - minDelayMs);
    return this.#everConnected ? Math.random() * minDelayMs : 0;
  }

  #noteLife(lane: Lane): void {
    const upSince = this.#upSince.get(lane);
    if (upSince === undefined) return;
    this.#upSince.delete(lane);
    const wasShort = performance.now() - upSince < SHORT_LIFE_MS;
    this.#shortLives = wasShort ? this.#shortLives + 1 : 0;
  }

  #ceilingMs(): number {
    if (this.lastError?.fatal) return FATAL_DELAY_MS;
    const { minDelayMs, maxDelayMs } = this.#options.reconnect;
    return Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(this.failures + this.#shortLives, 20));
  }

  async #sleep(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
