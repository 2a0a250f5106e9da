import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '@redis-pool/testkit';
import type { RedisPool, Subscription } from '../../src/index.js';

let loads = 0;
const LIST_LIMIT_S = 5;

/** What a load saw. */
export interface LoadReport {
  /** Calls that were answered as they should, by kind. */
  readonly answered: Readonly<Record<string, number>>;
  /** Errors and wrong replies, with the kind of call. */
  readonly failures: readonly string[];
  readonly published: number;
  readonly received: number;
  readonly gaps: number;
}

type Kind = (caller: Caller) => Promise<void>;

interface Caller {
  readonly pool: RedisPool;
  /** In front of its keys, all of one slot. */
  readonly tag: string;
  /** Counts from 1. */
  readonly turn: number;
}

/** Nearly all callers send ordinary commands; some are of each other kind. */
const KINDS: Readonly<Record<string, { readonly share: number; readonly run: Kind }>> = {
  command: { share: 8, run: command },
  chain: { share: 4, run: chain },
  lease: { share: 1, run: lease },
  blocking: { share: 2, run: blocking },
  transaction: { share: 1, run: transaction },
};
const TURNS = Object.entries(KINDS).flatMap(([name, { share, run }]) =>
  Array.from({ length: share }, () => ({ name, run })),
);

/** Callers of everything that a pool has, each of which knows what it has to be answered; and a subscription. */
export class MixedLoad {
  readonly #pool: RedisPool;
  /** Nobody else's: what another load published may still be on its way through a cluster. */
  readonly #channel: string;
  readonly #answered: Record<string, number> = {};
  readonly #failures: string[] = [];
  readonly #received: number[] = [];
  #published = 0;
  #isOver = false;
  #subscription: Subscription | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(pool: RedisPool) {
    this.#pool = pool;
    loads += 1;
    this.#channel = `load-${loads}`;
  }

  async start(callers: number): Promise<void> {
    const note = (message: string): void => void this.#received.push(Number(message));
    this.#subscription = await this.#pool.subscribe(this.#channel, note);
    const calling = Array.from({ length: callers }, (_, index) => this.#call(index));
    this.#running = Promise.all([this.#publish(), ...calling]);
  }

  async stop(): Promise<LoadReport> {
    this.#isOver = true;
    await this.#running;
    const { gaps = 0 } = this.#subscription ?? {};
    if (gaps === 0) {
      const limit = { timeoutMs: 2_000, what: 'all messages are there' };
      await waitUntil(() => this.#received.length >= this.#published, limit).catch(() => {});
    }
    await this.#subscription?.unsubscribe();
    const twice = this.#received.filter((number, index) => this.#received.indexOf(number) < index);
    if (twice.length > 0) this.#failures.push(`messages came twice: ${twice}`);
    const [published, received] = [this.#published, this.#received.length];
    return { answered: this.#answered, failures: this.#failures, published, received, gaps };
  }

  async #call(index: number): Promise<void> {
    const { name, run } = TURNS[index % TURNS.length] as (typeof TURNS)[number];
    const tag = `{${index}}`;
    for (let turn = 1; !this.#isOver; turn += 1) {
      await this.#count(name, () => run({ pool: this.#pool, tag, turn }));
      // Without a pause the callers of ordinary commands would leave nothing to the others.
      await sleep(1);
    }
  }

  async #publish(): Promise<void> {
    while (!this.#isOver) {
      await this.#count('publish', async () => {
        await this.#pool.publish(this.#channel, `${this.#published + 1}`);
        this.#published += 1;
      });
      await sleep(5);
    }
  }

  async #count(name: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
      this.#answered[name] = (this.#answered[name] ?? 0) + 1;
    } catch (error) {
      this.#failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function command({ pool, tag, turn }: Caller): Promise<void> {
  const [count] = await Promise.all([pool.incr(`${tag}:count`), pool.set(`${tag}:value`, turn)]);
  expectSame(count, turn);
  expectSame(await pool.get(`${tag}:value`), `${turn}`);
}

async function chain({ pool, tag, turn }: Caller): Promise<void> {
  const [block, pipeline] = await Promise.all([
    pool.multi().incr(`${tag}:count`).get(`${tag}:count`).execOrThrow(),
    pool.pipeline().set(`${tag}:value`, turn).get(`${tag}:value`).execOrThrow(),
  ]);
  expectSame(`${block}`, `${turn},${turn}`);
  expectSame(`${pipeline}`, `OK,${turn}`);
}

async function lease({ pool, tag, turn }: Caller): Promise<void> {
  const key = `${tag}:count`;
  const replies = await pool.lease(async (own) => [await own.incr(key), await own.get(key)], { key });
  expectSame(`${replies}`, `${turn},${turn}`);
}

async function blocking({ pool, tag, turn }: Caller): Promise<void> {
  const key = `${tag}:list`;
  const popped = pool.blpop(key, LIST_LIMIT_S);
  // So that most of them wait at the server for a while.
  const pushed = sleep(turn % 50).then(() => pool.rpush(key, turn));
  const [pair] = await Promise.all([popped, pushed]);
  expectSame(`${pair}`, `${key},${turn}`);
}

async function transaction({ pool, tag, turn }: Caller): Promise<void> {
  const key = `${tag}:count`;
  const replies = await pool.transaction([key], async (read, queue) => {
    queue.set(key, Number(await read.get(key)) + 1).get(key);
  });
  expectSame(`${replies}`, `OK,${turn}`);
}

function expectSame(reply: unknown, expected: unknown): void {
  if (reply !== expected) throw new Error(`answered ${String(reply)} instead of ${String(expected)}`);
}
