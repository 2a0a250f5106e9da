import type { RedisPool } from '@redis-pool/core';
import { isRedisPoolError } from '@redis-pool/core';
import { ElementLedger } from '../checks/element-ledger.js';
import { ABORTED, endOf } from '../checks/end-of-call.js';
import { ARGUMENT_MARK } from '../checks/secrets.js';
import { LIMITS, type Outcome, type Session } from './session.js';

const LISTS = 3;
/** UNBLOCK and its reply; then the connection is given up. */
const CANCEL_MS = 1_000 + LIMITS.command;
const AT_ONCE = 2;

type Popper = Pick<RedisPool, 'blpop' | 'brpop' | 'blmpop' | 'blmove' | 'pipeline' | 'lease'>;

interface Pop {
  readonly run: (redis: Popper, keys: Keys) => Promise<unknown>;
  /** Elements that it may take at most. */
  readonly most: number;
  readonly moves?: true;
}

interface Keys {
  readonly list: string;
  readonly moved: string;
}

const POPS: readonly Pop[] = [
  { run: (redis, { list }) => redis.blpop(list, 0), most: 1 },
  { run: (redis, { list }) => redis.brpop(list, 1), most: 1 },
  { run: (redis, { list }) => redis.blmpop(0, 1, list, 'LEFT', 'COUNT', AT_ONCE), most: AT_ONCE },
  { run: (redis, { list, moved }) => redis.blmove(list, moved, 'LEFT', 'RIGHT', 0), most: 1, moves: true },
  { run: (redis, { list }) => redis.lease((lease) => lease.blpop(list, 0)), most: 1 },
  { run: (redis, { list }) => redis.pipeline().blpop(list, 0).brpop(list, 0).exec(), most: 2 },
];

let elements = 0;
let shifts = 0;

/** Producers and consumers of some lists of their own, until it is closed; then every element is accounted for. */
export class PopShift {
  readonly #session: Session;
  readonly #name: string;
  readonly #during: string;
  readonly #ledger = new ElementLedger();
  readonly #running = new Set<Promise<void>>();
  readonly #close = new AbortController();

  /** `during`: the step that it belongs to. */
  constructor(session: Session, during: string) {
    this.#session = session;
    this.#during = during;
    shifts += 1;
    this.#name = `${ARGUMENT_MARK}shift:${shifts}`;
  }

  push(): Promise<void> {
    return this.#run(this.#push());
  }

  pop(): Promise<void> {
    return this.#run(this.#pop());
  }

  /** Ends every wait, then asks the server for what nobody got. */
  async close(): Promise<void> {
    this.#close.abort(ABORTED);
    await Promise.all(this.#running);
    const { arena, violations } = this.#session.parts;
    const read = async (key: string): Promise<number[]> =>
      ((await arena.admin('LRANGE', key, 0, -1)) as string[]).map(elementOf);
    const waiting = await Promise.all(Array.from({ length: LISTS }, (_, list) => read(this.#list(list))));
    const left = { waiting: waiting.flat(), moved: await read(this.#moved) };
    for (const { invariant, what } of this.#ledger.account(left))
      violations.add(invariant, what, this.#during);
    await arena.admin('DEL', this.#moved, ...Array.from({ length: LISTS }, (_, list) => this.#list(list)));
  }

  get #moved(): string {
    return `${this.#name}:moved`;
  }

  #list(index: number): string {
    return `${this.#name}:${index}`;
  }

  async #run(work: Promise<void>): Promise<void> {
    this.#running.add(work);
    await work;
    this.#running.delete(work);
  }

  async #push(): Promise<void> {
    const { random, pool } = this.#session;
    const burst = Array.from({ length: random.integer(1, 3) }, () => elements++);
    for (const element of burst) this.#ledger.pushed(element, 'open');
    const reply = pool.rpush(this.#list(random.integer(0, LISTS - 1)), ...burst.map((one) => `e:${one}`));
    const outcome = await this.#session.call(reply, { what: 'RPUSH', limitMs: LIMITS.command });
    const end = 'value' in outcome ? 'acknowledged' : endOf(outcome.error);
    for (const element of burst) this.#ledger.pushed(element, end);
  }

  async #pop(): Promise<void> {
    const { random, pool, parts } = this.#session;
    const pop = random.pick(POPS);
    const cancel = new AbortController();
    const signal = AbortSignal.any([cancel.signal, this.#close.signal]);
    const keys = { list: this.#list(random.integer(0, LISTS - 1)), moved: this.#moved };
    const popping = pop.run(pool.scope({ signal }), keys);
    const abortAfterMs = random.integer(0, 150);
    const timer = setTimeout(() => cancel.abort(ABORTED), abortAfterMs);
    // Besides its own wait, there is the one for a lease; in the end somebody always cancels.
    const limitMs = abortAfterMs + CANCEL_MS + LIMITS.acquire;
    let mayBeLost = parts.mayLoseWaits();
    const onAbort = () => {
      mayBeLost ||= parts.mayLoseWaits();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const outcome = await this.#session.call(popping, { what: 'a blocking pop', limitMs });
    clearTimeout(timer);
    // A composite signal with a listener is kept for ever.
    signal.removeEventListener('abort', onAbort);
    this.#account(outcome, pop, mayBeLost || parts.mayLoseWaits());
  }

  #account(outcome: Outcome<unknown>, pop: Pop, mayBeLost: boolean): void {
    if ('value' in outcome) {
      for (const element of elementsIn(outcome.value)) {
        if (pop.moves) this.#ledger.moved(element);
        else this.#ledger.popped(element);
      }
      return;
    }
    const { error } = outcome;
    // An abort does not say whether the connection went with it: only where connections go, it may have.
    if (error === ABORTED ? mayBeLost : isRedisPoolError(error) && error.maybeExecuted !== false)
      this.#ledger.excuse(pop.moves ? 0 : pop.most);
  }
}

function elementOf(text: string): number {
  return Number(text.slice('e:'.length));
}

/** Elements in the reply of any of the commands above. */
function elementsIn(value: unknown): number[] {
  if (typeof value === 'string') return value.startsWith('e:') ? [elementOf(value)] : [];
  return Array.isArray(value) ? value.flatMap(elementsIn) : [];
}
