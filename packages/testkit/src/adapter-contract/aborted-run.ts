import { waitUntil } from '../wait-until.js';
import { Visitor } from './http-client.js';
import { seededRandom } from './random.js';
import type { Chain, RequestRedis } from './redis-shape.js';
import type { Routes, TestApp } from './testbed.js';

/** Requests at the same time. */
const CONCURRENCY = 40;
/** Clients leave after up to so many ms, if they leave. */
const PATIENCE_MS = 12;
const LEAVING_SHARE = 0.8;
/** Of the requests, those that find an element; others are parked until their client leaves, or one that stays. */
const PUSHED_SHARE = 0.3;
/** For one request, on a slow machine. */
const LONGEST_MS = 20_000;

/** Called with what a command popped, at once: what comes after it may fail. */
type Take = (popped: unknown) => void;

/** Ways of a request to take elements from the list `queue`. */
const WORK: Readonly<Record<string, (redis: RequestRedis, take: Take) => Promise<unknown>>> = {
  commands: async (redis, take) => {
    take(await redis.lpop('queue'));
    take(await redis.lpop('queue'));
  },
  parked: async (redis, take) => take((await redis.blpop('queue', 0))?.[1]),
  parkedTwice: (redis, take) => {
    const park = async (): Promise<void> => take((await redis.blpop('queue', 0))?.[1]);
    return Promise.all([park(), park()]);
  },
  pipeline: async (redis, take) =>
    takeAll(await redis.pipeline().incr('count').lpop('queue').lpop('queue').exec(), take),
  transaction: async (redis, take) => takeAll(await redis.multi().lpop('queue').incr('count').exec(), take),
  leased: (redis, take) => redis.lease(async (lease) => take(await lease.lpop('queue'))),
  parkedOnLease: (redis, take) =>
    redis.lease(async (lease) => {
      take(await lease.lpop('queue'));
      take((await lease.blpop('queue', 0))?.[1]);
    }),
  acquired: async (redis, take) => {
    const lease = await redis.acquire();
    try {
      take(await lease.lpop('queue'));
    } finally {
      await lease.release();
    }
  },
  // Nobody releases it: the pool has to.
  forgotten: async (redis, take) => take(await (await redis.acquire()).lpop('queue')),
};

const KINDS = Object.keys(WORK);

function takeAll(replies: Awaited<ReturnType<Chain['exec']>>, take: Take): void {
  for (const [, value] of replies ?? []) take(value);
}

/** Requests whose clients leave at random moments, and an account of every element that they take. */
export class AbortedRun {
  /** Elements that a handler got, in the order of getting, whatever became of its answer. */
  readonly taken: string[] = [];
  /** Elements in answers that arrived. */
  readonly delivered: string[] = [];
  readonly errors = new Map<string, number>();
  pushed = 0;
  requests = 0;
  left = 0;
  #working = 0;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  readonly routes: Routes = {
    '/work': async ({ redis, query }) => {
      this.#working += 1;
      const elements: string[] = [];
      const take = (popped: unknown): void => {
        if (typeof popped !== 'string') return;
        elements.push(popped);
        this.taken.push(popped);
      };
      try {
        await WORK[query.kind as string]?.(redis, take);
        return elements;
      } catch (error) {
        this.#count(error);
        throw error;
      } finally {
        this.#working -= 1;
      }
    },
  };

  /** Makes so many requests; resolves when no handler is at work any more. */
  async make(app: TestApp, requests: number): Promise<void> {
    const last = this.requests + requests;
    const clients = Array.from({ length: CONCURRENCY }, async () => {
      while (this.requests < last) await this.#makeOne(app);
    });
    await Promise.all(clients);
    await waitUntil(() => this.#working === 0, { what: 'no handler is at work' });
  }

  async #makeOne(app: TestApp): Promise<void> {
    const kind = KINDS[Math.floor(this.#random() * KINDS.length)] as string;
    this.requests += 1;
    const visitor = new Visitor(app.url(`/work?kind=${kind}`));
    const leaves = this.#random() < LEAVING_SHARE;
    const timer = setTimeout(() => this.#leave(visitor), leaves ? this.#random() * PATIENCE_MS : LONGEST_MS);
    visitor.onData((received) => this.#receive(visitor, received));
    if (this.#random() < PUSHED_SHARE) await this.#push(app);
    // Who stays gets an answer: what waits for an element has one to come.
    const isGone = async (): Promise<boolean> => {
      if (!leaves) await this.#push(app);
      return visitor.isClosed;
    };
    await waitUntil(isGone, { what: `the client of ${kind} is gone`, timeoutMs: LONGEST_MS });
    clearTimeout(timer);
  }

  async #push(app: TestApp): Promise<void> {
    await app.pool.rpush('queue', `element-${this.pushed++}`);
  }

  #leave(visitor: Visitor): void {
    this.left += 1;
    visitor.hangUp();
  }

  #receive(visitor: Visitor, received: string): void {
    const at = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
    if (at < 0 || received.length - at - 4 < length) return;
    if (received.startsWith('HTTP/1.1 200')) {
      this.delivered.push(...(JSON.parse(received.slice(at + 4)) as string[]));
    }
    visitor.hangUp();
  }

  #count(error: unknown): void {
    const { name, code } = error as Error & { code?: unknown };
    const key = typeof code === 'string' ? code : name;
    this.errors.set(key, (this.errors.get(key) ?? 0) + 1);
  }
}
