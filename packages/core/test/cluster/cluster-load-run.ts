import { setImmediate as nextTurn } from 'node:timers/promises';
import { Random } from '@redis-pool/testkit';
import { isRedisPoolError, type RedisPool } from '../../src/index.js';

const LISTS_PER_CALLER = 24;
const READ_KEYS = 2_000;
const LONGEST_BURST = 8;

/** What became of one push. */
interface Push {
  readonly key: string;
  readonly number: number;
  outcome: 'acknowledged' | 'maybe' | 'not';
}

/** An error that a caller got, and when on the clock of `performance.now()`. */
export interface SeenError {
  readonly at: number;
  readonly of: 'read' | 'push';
  readonly code: string;
  readonly retryable: boolean;
  readonly message: string;
}

export interface LoadOptions {
  /** Of its lists, which nobody else has. */
  readonly name: string;
  readonly callers: number;
  /** Hash tags of all lists; without them they are in all slots. */
  readonly tags?: readonly string[];
  /** Commands that a caller sends at once, at most. */
  readonly burst?: number;
  readonly seed: number;
}

/** What a load saw. */
export class Journal {
  readonly pushes: Push[] = [];
  readonly errors: SeenError[] = [];
  /** Replies that belong to another command. */
  readonly wrong: string[] = [];
  commands = 0;

  note(error: unknown, of: SeenError['of']): void {
    const known = isRedisPoolError(error);
    const code = known ? error.code : error instanceof Error ? error.message.split(' ', 1)[0] : typeof error;
    const message = error instanceof Error ? error.message : String(error);
    this.errors.push({
      at: performance.now(),
      of,
      code: `${code}`,
      retryable: known && error.retryable,
      message,
    });
  }
}

/**
 * Callers that push ascending numbers onto lists in all slots, many at once and without waiting in between, alone, in
 * pipelines and in transactions, and read keys that hold their own names.
 */
export class ClusterLoad {
  readonly journal = new Journal();
  readonly #pool: RedisPool;
  readonly #options: LoadOptions;
  #isOver = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(pool: RedisPool, options: LoadOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  async start(): Promise<void> {
    const keys = Array.from({ length: READ_KEYS }, (_, index) => `v:${index}`);
    await Promise.all(keys.map((key) => this.#pool.set(key, key)));
    const { callers, seed } = this.#options;
    this.#running = Promise.all(
      Array.from({ length: callers }, (_, index) => this.#call(index, new Random(seed + index))),
    );
  }

  /** Resolves when everything is settled. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #call(caller: number, random: Random): Promise<void> {
    for (let number = 1; !this.#isOver; ) {
      const running: Promise<void>[] = [];
      for (let left = random.integer(1, this.#options.burst ?? LONGEST_BURST); left > 0; left -= 1) {
        const key = this.#list(caller, random);
        // So that some are sent when others are answered.
        if (random.chance(0.3)) await nextTurn();
        const how = random.next();
        if (how < 0.5) running.push(this.#read(random));
        else if (how < 0.8) running.push(this.#push([{ key, number: number++, outcome: 'not' }], 'alone'));
        else {
          const other = how < 0.9 ? key : this.#list(caller, random);
          const pushes: Push[] = [
            { key, number: number++, outcome: 'not' },
            { key: other, number: number++, outcome: 'not' },
          ];
          running.push(this.#push(pushes, how < 0.9 ? 'transaction' : 'pipeline'));
        }
      }
      await Promise.all(running);
    }
  }

  #list(caller: number, random: Random): string {
    const { name, tags } = this.#options;
    const which = tags === undefined ? random.integer(1, LISTS_PER_CALLER) : `{${random.pick(tags)}}`;
    return `${name}:${caller}:${which}`;
  }

  async #read(random: Random): Promise<void> {
    const key = `v:${random.integer(0, READ_KEYS - 1)}`;
    this.journal.commands += 1;
    try {
      const value = await this.#pool.get(key);
      if (value !== key) this.journal.wrong.push(`${key}: ${value}`);
    } catch (error) {
      this.journal.note(error, 'read');
    }
  }

  async #push(pushes: Push[], how: 'alone' | 'pipeline' | 'transaction'): Promise<void> {
    this.journal.pushes.push(...pushes);
    this.journal.commands += pushes.length;
    try {
      for (const [index, reply] of (await this.#send(pushes, how)).entries()) {
        if (typeof reply !== 'number') this.journal.wrong.push(`${pushes[index]?.key}: ${reply}`);
      }
      for (const push of pushes) push.outcome = 'acknowledged';
    } catch (error) {
      this.journal.note(error, 'push');
      const isCertain = isRedisPoolError(error) && error.maybeExecuted === false;
      for (const push of pushes) push.outcome = isCertain ? 'not' : 'maybe';
    }
  }

  async #send(pushes: readonly Push[], how: 'alone' | 'pipeline' | 'transaction'): Promise<unknown[]> {
    const [only] = pushes as [Push];
    if (how === 'alone') return [await this.#pool.rpush(only.key, only.number)];
    const chain = how === 'pipeline' ? this.#pool.pipeline() : this.#pool.multi();
    for (const { key, number } of pushes) chain.rpush(key, number);
    return chain.execOrThrow();
  }
}

/** What the lists say at the end. */
export interface Verdict {
  /** Numbers out of order: a caller was overtaken by itself, or something ran twice. */
  readonly disorder: readonly string[];
  /** Ran although the caller was told for certain that it had not. */
  readonly ghosts: readonly string[];
  /** Acknowledged, and not there. */
  readonly lost: number;
  readonly acknowledged: number;
  readonly maybe: number;
}

/** Compares the lists with what their callers were told. */
export async function judge(pool: RedisPool, { pushes }: Journal): Promise<Verdict> {
  const disorder: string[] = [];
  const ghosts: string[] = [];
  let lost = 0;
  const keys = new Set(pushes.map(({ key }) => key));
  const lists = new Map<string, Set<number>>();
  for (const key of keys) {
    const numbers = (await pool.lrange(key, 0, -1)).map(Number);
    lists.set(key, new Set(numbers));
    numbers.forEach((number, index) => {
      const before = numbers[index - 1];
      if (before !== undefined && before >= number) disorder.push(`${key}: ${before} before ${number}`);
    });
  }
  for (const { key, number, outcome } of pushes) {
    const isThere = lists.get(key)?.has(number) === true;
    if (outcome === 'acknowledged' && !isThere) lost += 1;
    if (outcome === 'not' && isThere) ghosts.push(`${key}: ${number}`);
  }
  const count = (wanted: Push['outcome']): number =>
    pushes.filter(({ outcome }) => outcome === wanted).length;
  return { disorder, ghosts, lost, acknowledged: count('acknowledged'), maybe: count('maybe') };
}
