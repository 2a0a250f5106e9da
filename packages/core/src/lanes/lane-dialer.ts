import type { Connection } from '../transport/connection.js';
import type { DialCoordinator } from '../transport/dial-coordinator.js';
import type { Lane } from './lane.js';
import type { LaneLink } from './lane-link.js';
import { type LinkPolicy, openLaneLink } from './open-lane-link.js';

export interface DialerHost {
  readonly dials: DialCoordinator;
  nextLaneDown(): Lane | undefined;
  connected(lane: Lane, connection: Connection, link: LaneLink): void;
}

/** Brings lanes up, one after another and for ever; the coordinator says when. */
export class LaneDialer {
  readonly #host: DialerHost;
  readonly #policy: LinkPolicy = { direct: true };
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(host: DialerHost) {
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
    await this.#running;
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    // The first step is asynchronous, so that start() is over before the host hears of anything.
    await undefined;
    for (let lane = this.#laneToDial(); lane !== undefined; lane = this.#laneToDial()) {
      await this.#attempt(lane);
    }
    // In the same step as the last look, so that no lane can go down unseen in between.
    this.#running = undefined;
  }

  #laneToDial(): Lane | undefined {
    return this.#stopped ? undefined : this.#host.nextLaneDown();
  }

  async #attempt(lane: Lane): Promise<void> {
    const prepare = async (connection: Connection) => ({
      connection,
      link: await openLaneLink(connection, this.#policy),
    });
    try {
      const { connection, link } = await this.#host.dials.dial('lane', prepare, this.#abort.signal);
      if (!this.#stopped) this.#host.connected(lane, connection, link);
      else {
        // Stopped in the moment in which it came up: nobody would ever close it.
        connection.destroy();
        await connection.gone;
      }
    } catch {
      // The coordinator has told everybody, and lets the next attempt wait.
    }
  }
}
