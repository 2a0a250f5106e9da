import type { Engine } from '../engine.js';

/** What keeping up with a cluster needs. */
export interface TopologyHost {
  /** Engines that are connected at the moment, in the order in which to ask them. */
  connected(): readonly Engine[];
  /** Brings up one of the nodes that the options name, the next one at each call; `undefined`: it cannot be reached. */
  reachSeed(): Promise<Engine | undefined>;
  readonly seedCount: number;
  /** A node has no answer. */
  refused(error: unknown, asked: Engine): void;
  /** Takes what a node answered. `false`: it is of no use. */
  adopt(reply: unknown, asked: Engine): boolean;
  /** Whether something is not as it should be, so that it may change soon. */
  mayChangeSoon(): boolean;
}

export interface TopologyTimes {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

/** Keeps up with who has which slots: asks at intervals and when there is a reason, one node at a time. */
export class TopologyWatch {
  /** How often the nodes were asked. */
  refreshes = 0;
  readonly #host: TopologyHost;
  readonly #times: TopologyTimes;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWanted = false;
  #isStopped = false;
  #wake: () => void = () => {};

  constructor(host: TopologyHost, times: TopologyTimes) {
    this.#host = host;
    this.#times = times;
  }

  /** Asks soon; what comes while an answer is under way leads to one more question. */
  request(): void {
    if (this.#isStopped) return;
    this.#isWanted = true;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    // The first step is asynchronous, so that many who ask in one turn ask once.
    await undefined;
    for (let pauseMs = FIRST_PAUSE_MS; this.#isWanted && !this.#isStopped; ) {
      this.#isWanted = false;
      const isKnown = await this.#refresh();
      if (this.#isStopped) break;
      if (isKnown && !this.#host.mayChangeSoon() && !this.#isWanted) break;
      this.#isWanted = true;
      await this.#pause(pauseMs * (0.5 + Math.random()));
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
    this.#isWanted = false;
    this.#running = undefined;
    if (!this.#isStopped) this.#schedule();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.request(), this.#times.intervalMs);
    this.#timer.unref();
  }

  async #refresh(): Promise<boolean> {
    this.refreshes += 1;
    for (const engine of this.#host.connected()) {
      if (await this.#ask(engine)) return true;
      if (this.#isStopped) return false;
    }
    for (let seed = 0; seed < this.#host.seedCount && !this.#isStopped; seed += 1) {
      const engine = await this.#host.reachSeed();
      if (engine !== undefined && (await this.#ask(engine))) return true;
    }
    return false;
  }

  async #ask(engine: Engine): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.#times.timeoutMs, undefined);
      this.#wake = () => resolve(undefined);
    });
    try {
      const reply = await Promise.race([engine.call('CLUSTER', 'SLOTS'), limit]);
      return !this.#isStopped && this.#host.adopt(reply, engine);
    } catch (error) {
      this.#host.refused(error, engine);
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
