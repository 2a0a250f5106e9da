import { setTimeout as sleep } from 'node:timers/promises';
import type { Subscription } from '@redis-pool/core';
import { ABORTED } from '../checks/end-of-call.js';
import { MessageCheck } from '../checks/message-check.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Session } from './session.js';

const CHANNEL = `${ARGUMENT_MARK}news`;
const PATTERN = `${ARGUMENT_MARK}new[s]`;
const RETRY_MS = 50;

/** Publishes numbers past the pool, and listens to them through it in several ways. */
export class MessageLoad {
  readonly #session: Session;
  readonly #uncertain = new Set<number>();
  readonly #checks = new Set<MessageCheck>();
  readonly #subscriptions = new Set<Subscription>();
  #last = 0;
  received = 0;
  gaps = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The least number that every subscription has got. */
  get seenByAll(): number {
    return Math.min(...[...this.#checks].map(({ last }) => last ?? -1));
  }

  get subscriptions(): number {
    return this.#checks.size;
  }

  /** Publishes the next number; resolves with it, when the server has it. */
  async publish(): Promise<number | undefined> {
    this.#last += 1;
    const number = this.#last;
    // Certain only once the server has said so: a subscriber may hear of it before that.
    this.#uncertain.add(number);
    try {
      await this.#session.parts.arena.server.adminCommand('PUBLISH', CHANNEL, number);
      this.#uncertain.delete(number);
      return number;
    } catch {
      return undefined;
    }
  }

  /** Holds a subscription for the whole run, and makes another when that ends with an error. */
  async follow(how: 'subscribe' | 'psubscribe'): Promise<void> {
    while (this.#session.running) {
      const ended = await this.#followOnce(how);
      await (ended ?? sleep(RETRY_MS));
    }
  }

  /** Comes and goes. */
  async visit(): Promise<void> {
    const { random, pool } = this.#session;
    const controller = new AbortController();
    setTimeout(() => controller.abort(ABORTED), random.integer(0, 40));
    const check = this.#newCheck();
    const subscribing = pool.subscribe(CHANNEL, (message) => check.message(Number(message)), {
      signal: controller.signal,
      onGap: () => check.gap(),
    });
    await this.#session.call(subscribing, { what: 'subscribe() with an abort', limitMs: LIMITS.command });
    this.#forget(check);
  }

  async close(): Promise<void> {
    const ends = [...this.#subscriptions].map((subscription) => subscription.unsubscribe());
    const ended = this.#session.call(Promise.all(ends), { what: 'unsubscribe()', limitMs: LIMITS.command });
    await ended;
    for (const check of this.#checks) this.#forget(check);
  }

  async #followOnce(how: 'subscribe' | 'psubscribe'): Promise<Promise<void> | undefined> {
    const check = this.#newCheck();
    let onEnd!: () => void;
    const ended = new Promise<void>((resolve) => {
      onEnd = resolve;
    });
    const listener = (message: string) => check.message(Number(message));
    const subscribing = this.#session.pool[how](how === 'subscribe' ? CHANNEL : PATTERN, listener, {
      onGap: () => check.gap(),
      onEnd: (error) => {
        if (error !== undefined) this.#session.noteError(error, 'the end of a subscription');
        this.#checks.delete(check);
        this.#forget(check);
        onEnd();
      },
    });
    const outcome = await this.#session.call(subscribing, { what: `${how}()`, limitMs: LIMITS.command });
    if (!('value' in outcome)) return undefined;
    this.#checks.add(check);
    this.#subscriptions.add(outcome.value);
    // The end of the run came while it was made.
    if (!this.#session.running) void outcome.value.unsubscribe();
    return ended.then(() => void this.#subscriptions.delete(outcome.value));
  }

  #newCheck(): MessageCheck {
    return new MessageCheck(
      (number) => !this.#uncertain.has(number),
      (what) => this.#session.parts.violations.add('brokenMessages', what),
    );
  }

  #forget(check: MessageCheck): void {
    this.received += check.received;
    this.gaps += check.gaps;
    check.received = 0;
    check.gaps = 0;
  }
}
