import type { Connection } from '../transport/connection.js';

/** How long the connection stays open without any subscription: the next one is often not far. */
const LINGER_MS = 1_000;

/** How long a connection that was replaced may take to end. */
const QUIT_MS = 500;

/** What a link needs of its subscriber. */
export interface LinkHost {
  /** Makes one attempt, when it makes sense to. */
  open(signal: AbortSignal): Promise<Connection>;
  reserve(): boolean;
  free(): void;
  /** Whether there is a subscription. */
  isWanted(): boolean;
  connected(connection: Connection): void;
  disconnected(): void;
}

/** A place of the connection budget is held in every state but `closed`. */
type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly connection: Connection }
  | { readonly kind: 'lingering'; readonly connection: Connection; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'closing'; readonly connection: Connection };

/**
 * The one connection of a subscriber: opened for the first subscription, opened again when it is lost, closed a
 * second after the last one. One attempt at a time (law 8).
 */
export class SubscriberLink {
  /** Connections that replaced a lost one. */
  reconnects = 0;
  /** Of the last attempt, until one succeeds. */
  lastError: unknown;
  readonly #host: LinkHost;
  #state: State = { kind: 'closed' };
  #attempt = new AbortController();
  #running: Promise<void> | undefined;
  #replacing: Promise<void> | undefined;

  constructor(host: LinkHost) {
    this.#host = host;
  }

  get isConnected(): boolean {
    return this.#state.kind === 'open' || this.#state.kind === 'lingering';
  }

  /** Whether it holds a place of the connection budget. */
  get isInUse(): boolean {
    return this.#state.kind !== 'closed';
  }

  /** To be called for each subscription. `false`: the pool has no place left for the connection. */
  want(): boolean {
    const state = this.#state;
    if (state.kind === 'closed' && !this.#host.reserve()) return false;
    if (state.kind === 'closed') this.#open(false);
    if (state.kind === 'lingering') this.#stay(state);
    return true;
  }

  /** To be called when there is no subscription any more. */
  unwant(): void {
    const state = this.#state;
    if (state.kind === 'opening') this.#giveUp();
    if (state.kind === 'open') this.#linger(state.connection);
  }

  /** Ends the connection, with QUIT for at most `quitLimitMs`. There must be no subscription any more. */
  async close(quitLimitMs: number): Promise<void> {
    this.#giveUp();
    await Promise.all([this.#running, this.#replacing]);
    const state = this.#state;
    if (state.kind !== 'open' && state.kind !== 'lingering') return;
    this.#setState({ kind: 'closing', connection: state.connection });
    this.#host.disconnected();
    await state.connection.quit(quitLimitMs);
    this.#free();
  }

  /** Ends the connection at once. There must be no subscription any more. */
  destroy(): void {
    const state = this.#state;
    this.#giveUp();
    // The close() that waits for it goes on.
    if (state.kind === 'closing') state.connection.destroy();
    if (state.kind === 'open' || state.kind === 'lingering') this.#drop(state.connection);
  }

  #setState(state: State): void {
    if (this.#state.kind === 'lingering') clearTimeout(this.#state.timer);
    this.#state = state;
  }

  #open(again: boolean): void {
    this.#setState({ kind: 'opening' });
    this.#running = this.#run(again);
  }

  async #run(again: boolean): Promise<void> {
    // The first step is asynchronous, so that want() is over before the host hears of anything.
    await undefined;
    let connection: Connection | undefined;
    while (connection === undefined && this.#host.isWanted()) connection = await this.#dial();
    this.#running = undefined;
    // The last one may have left while the connection was handed over.
    if (connection !== undefined && this.#host.isWanted()) this.#opened(connection, again);
    else {
      connection?.destroy();
      this.#free();
    }
  }

  /** Never rejects. */
  async #dial(): Promise<Connection | undefined> {
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    try {
      return await this.#host.open(signal);
    } catch (error) {
      if (!signal.aborted) this.lastError = error;
      return undefined;
    }
  }

  #opened(connection: Connection, again: boolean): void {
    this.lastError = undefined;
    if (again) this.reconnects += 1;
    this.#setState({ kind: 'open', connection });
    this.#host.connected(connection);
    connection.onLost((cause) => this.#lost(connection, cause));
    connection.onOutdated(() => {
      this.#replacing ??= this.#replace(connection).finally(() => {
        this.#replacing = undefined;
      });
    });
  }

  /** Opens the next connection before the old one goes, which stays when there is none to be had. Never rejects. */
  async #replace(old: Connection): Promise<void> {
    if (!this.#host.reserve()) {
      // No place for two: the next one takes the place of this one.
      old.destroy(new Error('The credentials have changed'));
      return;
    }
    const next = await this.#dial();
    const state = this.#state;
    if (next === undefined || state.kind !== 'open' || state.connection !== old) {
      next?.destroy();
      await next?.gone;
    } else {
      this.#host.disconnected();
      this.#opened(next, true);
      await old.quit(QUIT_MS);
    }
    this.#host.free();
  }

  #lost(connection: Connection, cause: Error | undefined): void {
    const state = this.#state;
    const isCurrent =
      (state.kind === 'open' || state.kind === 'lingering') && state.connection === connection;
    if (!isCurrent) return;
    this.lastError = cause;
    this.#host.disconnected();
    // Which frees the place where nobody is subscribed.
    this.#open(true);
  }

  #linger(connection: Connection): void {
    const timer = setTimeout(() => this.#drop(connection), LINGER_MS);
    // Nobody is subscribed: neither the timer nor the socket keeps the process alive.
    timer.unref();
    connection.socket.unref();
    this.#setState({ kind: 'lingering', connection, timer });
  }

  #stay({ connection }: { readonly connection: Connection }): void {
    connection.socket.ref();
    this.#setState({ kind: 'open', connection });
  }

  #drop(connection: Connection): void {
    this.#host.disconnected();
    connection.destroy();
    this.#free();
  }

  #giveUp(): void {
    this.#attempt.abort();
  }

  #free(): void {
    this.#setState({ kind: 'closed' });
    this.#host.free();
  }
}
