import type { HookConnection } from '../options/options.js';
import {
  type Address,
  describeAddress,
  describeEndpoint,
  type ResolvedOptions,
} from '../options/resolved-options.js';
import type { ConnectionWatch } from '../transport/connection-watch.js';
import { DialError } from '../transport/dial.js';
import type { Route, ServerLocator } from '../transport/server-locator.js';
import { askSentinel, type SentinelPoolOptions } from './sentinel-connection.js';
import { addressOf, chooseReplica, isSameAddress, type SentinelAnswer } from './sentinel-replies.js';
import { askAll, type RoundResult } from './sentinel-round.js';
import { SentinelWatch } from './sentinel-watch.js';

/**
 * For so long a later failover is remembered against Sentinels that have not heard of it. Not for ever: Sentinels that
 * are set up anew count failovers from 0.
 */
const REMEMBERED_MS = 30_000;

/** For so long a replica that was told to become the master may take, before the Sentinels are believed again. */
const PROMOTION_MS = 5_000;

interface Known extends SentinelAnswer {
  /** Until then it holds against answers from before it, on the clock of `performance.now()`. */
  readonly heldUntil: number;
}

interface Follower {
  readonly address: Address;
  readonly onMoved: (reason: Error) => void;
}

/**
 * Finds the master, or a replica, that the Sentinels name, and ends connections to a server as soon as they name
 * another one. One for all connections of a pool: they share the questions and what is heard.
 */
class SentinelLocator implements ServerLocator {
  readonly #options: SentinelPoolOptions;
  readonly #onMoved: () => void;
  readonly #listeners: SentinelWatch;
  readonly #abort = new AbortController();
  readonly #followers = new Set<Follower>();
  /** Questions under way, those called off included. */
  readonly #asking = new Set<Promise<void>>();
  #discovered: readonly Address[] = [];
  #round: Promise<RoundResult> | undefined;
  #known: Known | undefined;

  /**
   * `onMoved`: there is another master, so that connecting is worth another try at once. `watch`: finds out when a
   * Sentinel that is listened to is gone without a word.
   */
  constructor(options: SentinelPoolOptions, watch: ConnectionWatch, onMoved: () => void) {
    this.#options = options;
    this.#onMoved = onMoved;
    this.#listeners = new SentinelWatch(options, {
      hasNews: (sentinel) => void this.#hear(sentinel),
      isPromoting: (master) => this.#expect(master),
      listens: (connection) => watch.add({ connection, owed: () => 0, mayPing: () => true }),
    });
  }

  async locate(): Promise<Route> {
    this.#round ??= this.#askAll().finally(() => {
      this.#round = undefined;
    });
    const { answers, errors } = await this.#round;
    const known = this.#known;
    if (answers.length === 0 || known === undefined) throw this.#nobodyKnows(errors);
    return this.#routeTo(this.#isForMaster ? known.master : this.#replicaOf(known));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([this.#listeners.close(), ...this.#asking]);
  }

  get #isForMaster(): boolean {
    return this.#options.endpoint.role === 'master';
  }

  async #askAll(): Promise<RoundResult> {
    const { endpoint } = this.#options;
    const isGiven = (address: Address) => endpoint.sentinels.some((given) => isSameAddress(given, address));
    const sentinels = [...endpoint.sentinels, ...this.#discovered.filter((address) => !isGiven(address))];
    const result = await askAll(
      sentinels,
      (sentinel, signal) => this.#ask(sentinel, signal),
      this.#abort.signal,
    );
    const latest = this.#latestOf(result.answers);
    if (latest === undefined) return result;
    if (endpoint.updateSentinels) this.#discovered = result.answers.flatMap((answer) => answer.sentinels);
    if (endpoint.failoverDetector) this.#listeners.add([...endpoint.sentinels, ...this.#discovered]);
    this.#learn(latest);
    return result;
  }

  /** Of one failover the Sentinels may still give two names, an address and a host name: then the known one stays. */
  #latestOf(answers: readonly SentinelAnswer[]): SentinelAnswer | undefined {
    const epoch = Math.max(...answers.map((answer) => answer.epoch));
    const latest = answers.filter((answer) => answer.epoch === epoch);
    const known = this.#known?.master;
    return latest.find(({ master }) => known !== undefined && isSameAddress(master, known)) ?? latest[0];
  }

  #ask(sentinel: Address, signal: AbortSignal): Promise<SentinelAnswer> {
    const asking = askSentinel(this.#options, sentinel, signal);
    const done: Promise<void> = asking
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        this.#asking.delete(done);
      });
    this.#asking.add(done);
    return asking;
  }

  /** A Sentinel has news: it is asked itself, since others may hear of them later. Never rejects. */
  async #hear(sentinel: Address): Promise<void> {
    try {
      const answer = await this.#ask(sentinel, this.#abort.signal);
      if (answer.epoch !== this.#known?.epoch) this.#learn(answer);
    } catch {
      // It went down in this moment; the others have the same news.
    }
  }

  /**
   * This replica was told to become the master. Nothing is lost by believing it: the server itself has to say that it
   * is one before it gets any command.
   */
  #expect(master: Address): void {
    const known = this.#known;
    if (known === undefined || isSameAddress(known.master, master)) return;
    // Later than what the others still say, and before what all will say.
    this.#learn({ ...known, master, epoch: known.epoch + 0.5 }, PROMOTION_MS);
  }

  #learn(answer: SentinelAnswer, holdMs = REMEMBERED_MS): void {
    if (this.#abort.signal.aborted) return;
    const before = this.#known;
    const now = performance.now();
    if (before !== undefined && before.epoch > answer.epoch && now < before.heldUntil) return;
    this.#known = { ...answer, heldUntil: now + holdMs };
    if (before === undefined) return;
    const isSame = isSameAddress(before.master, answer.master);
    if (!isSame) {
      this.#tellFollowers(answer.master);
      this.#report(before.master, answer.master);
    }
    // What was expected is so now, and was refused perhaps when it was not yet.
    if (!isSame || before.epoch !== Math.floor(before.epoch)) this.#onMoved();
  }

  /** Whoever wants the master leaves every other server; whoever wants a replica leaves the one that became master. */
  #tellFollowers(master: Address): void {
    const reason = new Error(`The Sentinels name ${describeAddress(master)} as the master now`);
    for (const { address, onMoved } of [...this.#followers]) {
      if (isSameAddress(address, master) !== this.#isForMaster) onMoved(reason);
    }
  }

  #report(before: Address, now: Address): void {
    const { logger, name } = this.#options;
    const fields = { pool: name, before: describeAddress(before), now: describeAddress(now) };
    logger.warn(fields, `Redis pool "${name}": the Sentinels name another master, ${fields.now}`);
  }

  #routeTo(address: Address): Route {
    return {
      address,
      role: this.#options.endpoint.role,
      check: (connection) => this.#check(connection, address),
      follow: (onMoved) => {
        const follower = { address, onMoved };
        this.#followers.add(follower);
        return () => this.#followers.delete(follower);
      },
    };
  }

  #replicaOf(known: Known): Address {
    const replica = chooseReplica(known.replicas, this.#options.endpoint);
    if (replica !== undefined) return addressOf(replica, this.#options.endpoint);
    throw this.#error('no replica is up, as far as the Sentinels see', undefined, false);
  }

  /** Sentinels may lag behind: the server itself says what it is. A user who may not ask takes their word for it. */
  async #check({ call }: Pick<HookConnection, 'call'>, address: Address): Promise<void> {
    const wanted = this.#options.endpoint.role;
    const role = await call('ROLE').catch((error: Error) => {
      if (error.message.startsWith('NOPERM')) return [wanted];
      throw error;
    });
    const [actual] = role as [unknown];
    if (actual === wanted) return;
    throw new Error(
      `The Sentinels name ${describeAddress(address)} as ${wanted}, but it is a ${String(actual)}`,
    );
  }

  #nobodyKnows(errors: readonly unknown[]): DialError {
    const { name } = this.#options.endpoint;
    const unknown = errors.find((error) => error instanceof Error && /No such master/.test(error.message));
    if (unknown !== undefined)
      return this.#error(`no Sentinel knows a group "${name}" (redis.name)`, unknown, true);
    const [cause] = errors;
    const isFatal = errors.length > 0 && errors.every((error) => error instanceof DialError && error.fatal);
    return this.#error(`no Sentinel tells where it is: ${this.#textOf(cause)}`, cause, isFatal);
  }

  /** What an attempt to reach a Sentinel came to, with the names of the options that are for Sentinels. */
  #textOf(cause: unknown): string {
    if (!(cause instanceof DialError)) return cause instanceof Error ? cause.message : 'none was reached';
    const text = cause.message.replace(`Redis pool "${this.#options.name}" `, '');
    const isRefused = cause.code === 'RP_ERR_AUTH';
    const advice = isRefused ? ' (redis.sentinelUsername and redis.sentinelPassword)' : '';
    return text.replaceAll('redis.tls', 'redis.sentinelTLS') + advice;
  }

  #error(reason: string, cause: unknown, fatal: boolean): DialError {
    const message = `Redis pool "${this.#options.name}" could not connect to ${describeEndpoint(this.#options)}: ${reason}`;
    const code = cause instanceof DialError ? cause.code : 'RP_ERR_CONNECT';
    return new DialError(code, message, cause, fatal);
  }
}

/** `undefined` where the address is fixed. */
export function locatorFor(
  options: ResolvedOptions,
  watch: ConnectionWatch,
  onMoved: () => void,
): ServerLocator | undefined {
  if (options.endpoint.kind !== 'sentinel') return undefined;
  return new SentinelLocator(options as SentinelPoolOptions, watch, onMoved);
}
