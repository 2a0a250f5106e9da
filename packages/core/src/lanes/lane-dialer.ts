import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Connection } from '../transport/connection.js';
import type { DialCoordinator } from '../transport/dial-coordinator.js';
import type { Lane, LaneConnection } from './lane.js';
import { type LinkPolicy, openLaneLink } from './open-lane-link.js';

export interface DialerHost {
  readonly options: ResolvedOptions;
  readonly dials: DialCoordinator;
  nextLaneDown(): Lane | undefined;
  /** A lane that was down has a connection. */
  connected(lane: Lane, made: LaneConnection): void;
  /** A connection that is going to replace the one of a lane that is up. */
  madeNext(lane: Lane, made: LaneConnection): void;
  /** Takes a place of the budget for the time in which a lane has two connections. */
  reserve(): boolean;
  free(): void;
}

/** Without a place for a second connection, or without a second connection: after this part of a lifetime, again. */
const RETRY_SHARE = 0.1;

/** Brings lanes up, one after another and for ever, and replaces aged connections; the coordinator says when. */
export class LaneDialer {
  readonly #host: DialerHost;
  readonly #policy: LinkPolicy = { direct: true };
  readonly #abort = new AbortController();
  readonly #ages = new Map<Lane, NodeJS.Timeout>();
  readonly #replacing = new Set<Promise<void>>();
  #running: Promise<void> | undefined;

  constructor(host: DialerHost) {
    this.#host = host;
  }

  /** Idempotent: to be called whenever a lane may be down. */
  start(): void {
    if (this.#stopped) return;
    this.#running ??= this.#run();
  }

  /** Gives up the attempts in flight; resolves when nothing of them is left. */
  async stop(): Promise<void> {
    this.#abort.abort();
    for (const timer of this.#ages.values()) clearTimeout(timer);
    await Promise.all([this.#running, ...this.#replacing]);
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    // The first step is asynchronous, so that start() is over before the host hears of anything.
    await undefined;
    for (let lane = this.#laneToDial(); lane !== undefined; lane = this.#laneToDial()) {
      await this.#connect(lane);
    }
    // In the same step as the last look, so that no lane can go down unseen in between.
    this.#running = undefined;
  }

  #laneToDial(): Lane | undefined {
    return this.#stopped ? undefined : this.#host.nextLaneDown();
  }

  async #connect(lane: Lane): Promise<void> {
    const made = await this.#dial();
    if (made === undefined) return;
    this.#host.connected(lane, made);
    this.#age(lane, made.connection, 1 - Math.random() * 0.1);
  }

  /** Never rejects. The coordinator tells everybody of failures, and lets the next attempt wait. */
  async #dial(): Promise<LaneConnection | undefined> {
    const prepare = async (connection: Connection): Promise<LaneConnection> => ({
      connection,
      link: await openLaneLink(connection, this.#policy),
    });
    try {
      const made = await this.#host.dials.dial('lane', prepare, this.#abort.signal);
      if (!this.#stopped) return made;
      // Stopped in the moment in which it came up: nobody would ever close it.
      made.connection.destroy();
      await made.connection.gone;
    } catch {}
    return undefined;
  }

  /** Has the connection of a lane replaced after that share of its lifetime. */
  #age(lane: Lane, connection: Connection, share: number): void {
    clearTimeout(this.#ages.get(lane));
    if (this.#stopped) return;
    const replace = (): void => {
      const replacing = this.#replace(lane, connection).finally(() => this.#replacing.delete(replacing));
      this.#replacing.add(replacing);
    };
    const timer = setTimeout(replace, Math.max(1, this.#host.options.laneMaxLifetimeMs * share));
    // An idle pool does not keep the process alive by its age.
    timer.unref();
    this.#ages.set(lane, timer);
  }

  async #replace(lane: Lane, old: Connection): Promise<void> {
    if (!lane.isUp || lane.connection !== old) return;
    const next = this.#host.reserve() ? await this.#dialBeside(lane, old) : undefined;
    if (next !== undefined) this.#age(lane, next.connection, 1 - Math.random() * 0.1);
    else if (lane.connection === old) this.#age(lane, old, RETRY_SHARE);
  }

  /** The place is given back when one of the two connections is gone. */
  async #dialBeside(lane: Lane, old: Connection): Promise<LaneConnection | undefined> {
    const next = await this.#dial();
    if (next !== undefined && lane.isUp && lane.connection === old) {
      void Promise.race([old.gone, next.connection.gone]).then(() => this.#host.free());
      this.#host.madeNext(lane, next);
      return next;
    }
    // The old one was lost meanwhile, and its lane has found another one or is about to.
    next?.connection.destroy();
    await next?.connection.gone;
    this.#host.free();
    return undefined;
  }
}
