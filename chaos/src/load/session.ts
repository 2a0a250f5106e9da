import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisPoolError, type RedisPool, type RedisPoolError } from '@redis-pool/core';
import type { Random } from '@redis-pool/testkit';
import type { Arena } from '../arena/arena.js';
import { ABORTED, isErrorReply, labelOf } from '../checks/end-of-call.js';
import type { SecretCheck } from '../checks/secrets.js';
import type { Settling } from '../checks/settling.js';
import type { Violations } from '../checks/violations.js';
import type { WriteLedger } from '../checks/write-ledger.js';
import { GARBAGE_MARK } from '../faults/network-faults.js';

/** Limits of the pool of a run, ms. Short, so that a run sees them pass often. */
export const LIMITS = { command: 1_500, acquire: 1_000, connect: 1_000, close: 5_000 } as const;
export const MAX_CONNECTIONS = 24;

/** Error replies that the faults of a run lead to. LOADING and NOSCRIPT are the pool's to handle. */
const EXPECTED_REPLIES =
  /^(OOM|NOPERM|READONLY|EXECABORT|UNBLOCKED|MISCONF)\b|^ERR The user executing the script can't run/;

/** How a call ended. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export interface CallOptions {
  /** What it is, in reports; no argument. */
  readonly what: string;
  /** When it has to be settled, ms from now. */
  readonly limitMs: number;
}

export interface SessionParts {
  readonly pool: RedisPool;
  readonly arena: Arena;
  readonly random: Random;
  readonly violations: Violations;
  readonly settling: Settling;
  readonly secrets: SecretCheck;
  readonly writes: WriteLedger;
  /** The step of the plan that runs. */
  readonly step: () => number;
  /** Whether connections may be lost at this moment, with what waits on them. */
  readonly mayLoseWaits: () => boolean;
}

/** What every load works with. */
export class Session {
  readonly parts: SessionParts;
  /** How often calls ended with which error. */
  readonly errors = new Map<string, number>();
  calls = 0;
  running = true;

  constructor(parts: SessionParts) {
    this.parts = parts;
  }

  get pool(): RedisPool {
    return this.parts.pool;
  }

  get random(): Random {
    return this.parts.random;
  }

  /** Waits for a call, watches its deadline and its error; never rejects. */
  async call<T>(promise: PromiseLike<T>, { what, limitMs }: CallOptions): Promise<Outcome<T>> {
    this.calls += 1;
    this.parts.settling.watch(promise, what, limitMs);
    try {
      return { value: await promise };
    } catch (error) {
      this.noteError(error, what);
      return { error };
    }
  }

  noteError(error: unknown, what: string): void {
    const label = labelOf(error);
    this.errors.set(label, (this.errors.get(label) ?? 0) + 1);
    if (error === ABORTED) return;
    // Error replies are the server's words; their arguments are checked on the object.
    this.parts.secrets.failed(label, error);
    const isExpected = isErrorReply(error) ? EXPECTED_REPLIES.test(error.message) : isRedisPoolError(error);
    if (isRedisPoolError(error)) this.#checkFlags(error, what);
    if (!isExpected) this.parts.violations.add('strangeErrors', `${what}: ${describe(error)}`);
  }

  /** Every error of a command says whether it may have run, and then never that it may be done again (law 2). */
  #checkFlags({ code, maybeExecuted, retryable }: RedisPoolError, what: string): void {
    const isSilent = maybeExecuted === undefined && !what.includes('subscri');
    if (!isSilent && !(maybeExecuted && retryable)) return;
    const flags = `maybeExecuted ${maybeExecuted}, retryable ${retryable}`;
    this.parts.violations.add('strangeErrors', `${what}: ${code} with ${flags}`);
  }

  /** A reply that is not the one to the question. */
  expect(isRight: boolean, what: string, reply: unknown): void {
    if (isRight) return;
    const text = JSON.stringify(reply) ?? 'undefined';
    // Bytes that were put into the middle of a value are part of it, as far as anybody can tell.
    if (text.includes(GARBAGE_MARK)) return;
    this.parts.violations.add('wrongReplies', `${what}: ${text.slice(0, 120)}`);
  }

  /** Runs until the session ends, with pauses of up to so many ms. */
  async forever(once: () => Promise<unknown>, pauseMs: number): Promise<void> {
    while (this.running) {
      await once();
      await sleep(1 + this.random.next() * pauseMs);
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : String(error);
}
