import { setImmediate as nextTurn } from 'node:timers/promises';
import { type RedisServer, startFaultProxy, startRedis, waitUntil } from '@redis-pool/testkit';
import { useLeakCheck } from '@redis-pool/testkit/vitest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SubscribeKind } from '../../src/subscriber/subscribe-request.js';
import type { Subscriber } from '../../src/subscriber/subscriber.js';
import type { Subscription } from '../../src/subscriber/subscription.js';
import {
  channelsOf,
  PROTOCOLS,
  patternCount,
  publish,
  shardChannelsOf,
  useSubscribers,
} from './subscriber-harness.js';

const OPERATIONS = 500;
const KINDS: readonly SubscribeKind[] = ['subscribe', 'psubscribe', 'ssubscribe'];
const NAMES = Array.from({ length: 8 }, (_, index) => `storm:${index}`);

let server: RedisServer;

useLeakCheck(() => [server]);
const makeSubscriber = useSubscribers();

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** mulberry32: the same operations for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Live {
  readonly kind: SubscribeKind;
  readonly names: readonly string[];
  readonly subscription: Subscription;
}

/** Subscribes, unsubscribes and aborts at random, most of it without waiting; then ends half of what is left. */
class Storm {
  readonly live = new Set<Live>();
  readonly #subscriber: Subscriber;
  readonly #random: () => number;
  readonly #running = new Set<Promise<void>>();

  constructor(subscriber: Subscriber, random: () => number) {
    this.#subscriber = subscriber;
    this.#random = random;
  }

  async run(disturb: (operation: number) => void): Promise<void> {
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      this.#track(this.#random() < 0.55 ? this.#subscribe() : this.#unsubscribe());
      disturb(operation);
      const pause = this.#random();
      if (pause < 0.3) await nextTurn();
      else if (pause < 0.35) await Promise.race(this.#running);
    }
    await Promise.all(this.#running);
  }

  #track(operation: Promise<void>): void {
    const running = operation.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  async #subscribe(): Promise<void> {
    const kind = this.#pick(KINDS);
    const names = [...new Set([this.#pick(NAMES), this.#pick(NAMES)])];
    const aborts = this.#random() < 0.2;
    const controller = new AbortController();
    const pending = this.#subscriber.subscribe(kind, names, () => {}, { signal: controller.signal });
    if (aborts) controller.abort(new Error('aborted'));
    try {
      this.live.add({ kind, names, subscription: await pending });
    } catch (error) {
      if (!aborts) throw error;
    }
  }

  async #unsubscribe(): Promise<void> {
    if (this.live.size === 0) return;
    const one = this.#pick([...this.live]);
    this.live.delete(one);
    await one.subscription.unsubscribe();
  }

  wanted(kind: SubscribeKind): string[] {
    const names = [...this.live].filter((one) => one.kind === kind).flatMap((one) => one.names);
    return [...new Set(names)].sort();
  }
}

async function isAsWanted(storm: Storm): Promise<boolean> {
  const known = [await channelsOf(server), await shardChannelsOf(server), await patternCount(server)];
  const wanted = [storm.wanted('subscribe'), storm.wanted('ssubscribe'), storm.wanted('psubscribe').length];
  return JSON.stringify(known) === JSON.stringify(wanted);
}

const seeds = process.env.SUBSCRIBER_SEED
  ? [Number(process.env.SUBSCRIBER_SEED)]
  : [1, 2, 3, Date.now() % 1_000_000];
const cases = seeds.flatMap((seed) => PROTOCOLS.map((protocol) => ({ seed, protocol })));

test.each(cases)(
  'a storm converges to exactly what is wanted (seed $seed, RESP$protocol)',
  async ({ seed, protocol }) => {
    const { subscriber, host } = makeSubscriber({ url: server.url, redis: { protocol } });
    const storm = new Storm(subscriber, randomFrom(seed));
    await storm.run(() => {});
    expect(subscriber.stats().subscriptions).toBe(storm.live.size);
    // Every operation was answered: what the server knows is right now, not some time later.
    expect(await channelsOf(server)).toEqual(storm.wanted('subscribe'));
    expect(await shardChannelsOf(server)).toEqual(storm.wanted('ssubscribe'));
    expect(await patternCount(server)).toBe(storm.wanted('psubscribe').length);
    expect(host.attempts).toBe(1);
    for (const { subscription } of storm.live) await subscription.unsubscribe();
    expect([await channelsOf(server), await shardChannelsOf(server), await patternCount(server)]).toEqual([
      [],
      [],
      0,
    ]);
    expect(subscriber.stats().channels).toBe(0);
  },
);

test.each(cases)(
  'a storm over a connection that is reset all the time converges too (seed $seed, RESP$protocol)',
  async ({ seed, protocol }) => {
    const proxy = await startFaultProxy({ target: server });
    const reconnect = { minDelayMs: 1, maxDelayMs: 5 };
    const { subscriber } = makeSubscriber({ url: proxy.url, reconnect, redis: { protocol } });
    const random = randomFrom(seed);
    const storm = new Storm(subscriber, random);
    await storm.run((operation) => {
      if (operation % 10 === 0 && random() < 0.5) proxy.reset();
    });
    await waitUntil(() => isAsWanted(storm), { what: 'the server knows what is wanted' });
    const got = new Set<string>();
    const listening = await subscriber.subscribe('subscribe', NAMES, (_, channel) => got.add(channel));
    for (const name of NAMES) await publish(server, name, 'x');
    await waitUntil(() => got.size === NAMES.length, { what: 'every channel delivers' });
    await listening.unsubscribe();
    expect(subscriber.stats().reconnects).toBeGreaterThan(0);
    for (const { subscription } of storm.live) await subscription.unsubscribe();
    await waitUntil(async () => (await channelsOf(server)).length === 0, { what: 'all of it is gone' });
    subscriber.destroy();
    await proxy.close();
  },
);
