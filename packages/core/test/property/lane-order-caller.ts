import { isDeepStrictEqual } from 'node:util';
import type { Random } from '@redis-pool/testkit';
import { isRedisPoolError, type PoolCommands, type RedisPool, type RequestRedis } from '../../src/index.js';

/** What all callers of a run write into. */
export class Journal {
  commands = 0;
  settled = 0;
  calls = 0;
  timeouts = 0;
  aborts = 0;
  /** What should not have happened, one line each; the first ones are enough. */
  readonly wrong: string[] = [];

  note(line: string): void {
    if (this.wrong.length < 20) this.wrong.push(line);
  }

  /** Callers that were detached from a command on the wire. */
  get detached(): number {
    return this.timeouts + this.aborts;
  }
}

/** Keys that nobody changes: each value tells its key. */
export const STATIC_KEYS = 60;
export const staticKey = (index: number) => `static:${index}`;
export const hashKey = (index: number) => `hash:${index}`;

/** Every twentieth is large, and they are of all lengths around the sizes at which buffers are cut. */
export function staticValue(index: number): string {
  const length = index % 20 === 0 ? 90_000 + index : 10 + ((index * 67) % 1_500);
  return `value of ${staticKey(index)};`.padEnd(length, index % 3 === 0 ? 'ü' : '.');
}

export function hashValue(index: number): Record<string, string> {
  const names = Array.from({ length: (index % 7) + 1 }, (_, field) => `field ${field} of ${hashKey(index)}`);
  return Object.fromEntries(names.map((name) => [name, `value of ${name}`]));
}

type Client = RedisPool | RequestRedis;
type Check = (value: unknown) => boolean;
type Action = (client: Client) => void;

const ERROR_SCRIPT = "return redis.error_reply('MINE ' .. ARGV[1])";
const INCREMENT_ALL = 3;

/**
 * One caller: it calls without waiting, and knows at the moment of each call what the reply has to be, since the
 * server sees its commands in the order of its calls, whether or not it still waits for them.
 */
export class Caller {
  readonly #id: string;
  readonly #pool: RedisPool;
  readonly #random: Random;
  readonly #journal: Journal;
  readonly #mayTimeOut: boolean;
  readonly #strings = new Map<string, string>();
  readonly #buffers = new Map<string, Buffer>();
  #count = 0;
  #pushed = 0;
  #serial = 0;
  #signal: AbortSignal | undefined;
  #open: Promise<void>[] = [];

  constructor(id: string, pool: RedisPool, random: Random, journal: Journal, mayTimeOut: boolean) {
    this.#id = id;
    this.#pool = pool;
    this.#random = random;
    this.#journal = journal;
    this.#mayTimeOut = mayTimeOut;
  }

  /** Calls a few things at once, perhaps in a scope that is aborted meanwhile, and waits for all of them. */
  async burst(abortProbability: number): Promise<void> {
    const random = this.#random;
    const controller = random.chance(abortProbability) ? new AbortController() : undefined;
    this.#signal = controller?.signal;
    const client = controller === undefined ? this.#pool : this.#pool.scope({ signal: controller.signal });
    const size = random.integer(1, 24);
    const abortAt = random.integer(0, size);
    for (let index = 0; index < size; index += 1) {
      if (controller !== undefined && index === abortAt) this.#abortSoon(controller);
      random.pick(this.#actions)(client);
      // A caller is no machine gun: some calls come in later turns of the event loop.
      if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(this.#open.splice(0));
  }

  /** What the server has to hold in the end. */
  async verify(run: (name: string, ...args: (string | number)[]) => Promise<unknown>): Promise<void> {
    const list = (await run('LRANGE', `${this.#id}:list`, 0, -1)) as string[];
    const expected = Array.from({ length: this.#pushed }, (_, index) => `${index}`);
    if (!isDeepStrictEqual(list, expected)) {
      const at = expected.findIndex((number, index) => list[index] !== number);
      this.#journal.note(
        `${this.#id}: its list has ${list.length} of ${expected.length}, out of order at ${at}`,
      );
    }
    const count = Number((await run('GET', `${this.#id}:count`)) ?? 0);
    if (count !== this.#count) this.#journal.note(`${this.#id}: count is ${count} instead of ${this.#count}`);
    for (const [key, value] of this.#strings) {
      if ((await run('GET', key)) !== value)
        this.#journal.note(`${this.#id}: ${key} is not what was set last`);
    }
  }

  #abortSoon(controller: AbortController): void {
    const abort = () => controller.abort(new Error(`abort of ${this.#id}`));
    const when = this.#random.integer(0, 4);
    if (when === 0) abort();
    else if (when === 1) queueMicrotask(abort);
    else if (when === 2) setImmediate(abort);
    else setTimeout(abort, this.#random.integer(0, 25));
  }

  /** Follows one call. Everything that is refused at once by an aborted scope has not happened. */
  #follow(call: PromiseLike<unknown>, what: string, check: Check, isOwnError: Check = () => false): void {
    const journal = this.#journal;
    const signal = this.#signal;
    journal.calls += 1;
    const settled = call.then(
      (value) => {
        journal.settled += 1;
        if (!check(value)) journal.note(`${this.#id}: ${what} got ${shorten(value)}`);
      },
      (error: unknown) => {
        journal.settled += 1;
        if (signal?.aborted && error === signal.reason) journal.aborts += 1;
        else if (this.#mayTimeOut && isRedisPoolError(error) && error.code === 'RP_ERR_COMMAND_TIMEOUT') {
          journal.timeouts += 1;
        } else if (!isOwnError(error)) journal.note(`${this.#id}: ${what} rejected with ${shorten(error)}`);
      },
    );
    this.#open.push(Promise.resolve(settled));
  }

  /** Whether calls are sent now, or refused by the scope. */
  get #sends(): boolean {
    return this.#signal?.aborted !== true;
  }

  readonly #actions: readonly Action[] = [
    (client) => this.#set(client),
    (client) => this.#set(client),
    (client) => this.#get(client),
    (client) => this.#get(client),
    (client) => this.#getStatic(client),
    (client) => this.#getStatic(client),
    (client) => this.#mget(client),
    (client) => this.#hgetall(client),
    (client) => this.#increment(client),
    (client) => this.#increment(client),
    (client) => this.#push(client),
    (client) => this.#push(client),
    (client) => this.#push(client),
    (client) => this.#pipeline(client),
    (client) => this.#multi(client),
    (client) => this.#setBuffer(client),
    (client) => this.#getBuffer(client),
    (client) => this.#callback(client),
    (client) => this.#fail(client),
    (client) => this.#echo(client),
  ];

  #set(client: Client): void {
    this.#journal.commands += 1;
    const key = `${this.#id}:string:${this.#random.integer(0, 5)}`;
    const value = this.#newValue(key);
    if (this.#sends) this.#strings.set(key, value);
    this.#follow(client.set(key, value), `SET ${key}`, is('OK'));
  }

  #newValue(key: string): string {
    this.#serial += 1;
    const length = this.#random.chance(0.02)
      ? this.#random.integer(10_000, 40_000)
      : this.#random.integer(10, 300);
    return `${this.#serial} of ${key};`.padEnd(length, '.');
  }

  #get(client: Client): void {
    this.#journal.commands += 1;
    const key = `${this.#id}:string:${this.#random.integer(0, 5)}`;
    this.#follow(client.get(key), `GET ${key}`, is(this.#strings.get(key) ?? null));
  }

  #getStatic(client: Client): void {
    this.#journal.commands += 1;
    const index = this.#random.integer(0, STATIC_KEYS - 1);
    this.#follow(client.get(staticKey(index)), `GET ${staticKey(index)}`, is(staticValue(index)));
  }

  #mget(client: Client): void {
    this.#journal.commands += 1;
    const indices = Array.from({ length: this.#random.integer(1, 6) }, () => this.#random.integer(1, 19));
    const call = client.mget(indices.map(staticKey));
    this.#follow(call, `MGET of ${indices}`, is(indices.map(staticValue)));
  }

  #hgetall(client: Client): void {
    this.#journal.commands += 1;
    const index = this.#random.integer(0, STATIC_KEYS - 1);
    this.#follow(client.hgetall(hashKey(index)), `HGETALL ${hashKey(index)}`, is(hashValue(index)));
  }

  #increment(client: Client): void {
    this.#journal.commands += 1;
    if (this.#sends) this.#count += 1;
    this.#follow(client.incr(`${this.#id}:count`), 'INCR', is(this.#count));
  }

  #push(client: Client): void {
    this.#journal.commands += 1;
    const call = client.rpush(`${this.#id}:list`, this.#pushed);
    if (this.#sends) this.#pushed += 1;
    this.#follow(call, 'RPUSH', is(this.#pushed));
  }

  #pipeline(client: Client): void {
    this.#journal.commands += INCREMENT_ALL + 2;
    const { index, key, expected } = this.#chainParts();
    const call = client
      .pipeline()
      .incr(`${this.#id}:count`)
      .get(staticKey(index))
      .incr(`${this.#id}:count`)
      .incr(staticKey(1))
      .incr(`${this.#id}:count`)
      .get(key)
      .exec();
    this.#follow(call, 'a pipeline', (value) => {
      if (!Array.isArray(value)) return false;
      const [error] = (value[3] ?? []) as [Error | undefined];
      const rest = value.filter((_, position) => position !== 3);
      return error?.name === 'ReplyError' && isDeepStrictEqual(rest, expected);
    });
  }

  #multi(client: Client): void {
    this.#journal.commands += INCREMENT_ALL + 4;
    const { index, key, expected } = this.#chainParts();
    const call = client
      .multi()
      .incr(`${this.#id}:count`)
      .get(staticKey(index))
      .incr(`${this.#id}:count`)
      .incr(`${this.#id}:count`)
      .get(key)
      .exec();
    this.#follow(call, 'a transaction', is(expected));
  }

  #chainParts() {
    const index = this.#random.integer(1, 19);
    const key = `${this.#id}:string:0`;
    const before = this.#count;
    if (this.#sends) this.#count += INCREMENT_ALL;
    const replies = [before + 1, staticValue(index), before + 2, before + 3, this.#strings.get(key) ?? null];
    return { index, key, expected: replies.map((reply) => [null, reply]) };
  }

  #setBuffer(client: Client): void {
    this.#journal.commands += 1;
    const key = `${this.#id}:buffer:${this.#random.integer(0, 1)}`;
    const value = Buffer.concat([Buffer.from(`${key};`), this.#random.bytes(this.#random.integer(0, 200))]);
    if (this.#sends) this.#buffers.set(key, value);
    this.#follow(client.set(key, value), `SET ${key}`, is('OK'));
  }

  #getBuffer(client: Client): void {
    this.#journal.commands += 1;
    const key = `${this.#id}:buffer:${this.#random.integer(0, 1)}`;
    this.#follow(client.getBuffer(key), `GET ${key}`, is(this.#buffers.get(key) ?? null));
  }

  /** Callback and promise have to tell the same, once. */
  #callback(client: Client): void {
    this.#journal.commands += 1;
    const index = this.#random.integer(0, STATIC_KEYS - 1);
    let called = 0;
    let told: unknown;
    const call = client.get(staticKey(index), (error, value) => {
      called += 1;
      told = error ?? value;
    });
    this.#follow(
      call.then((value) => new Promise((resolve) => setImmediate(() => resolve([called, told, value])))),
      'a callback',
      is([1, staticValue(index), staticValue(index)]),
    );
  }

  #fail(client: Client): void {
    this.#journal.commands += 1;
    this.#serial += 1;
    const mark = `${this.#id}/${this.#serial}`;
    const call = (client as PoolCommands).eval(ERROR_SCRIPT, 0, mark);
    this.#follow(
      call,
      'a failing script',
      () => false,
      (error) => error instanceof Error && error.message.startsWith(`MINE ${mark}`),
    );
  }

  #echo(client: Client): void {
    this.#journal.commands += 1;
    this.#serial += 1;
    const text = `echo ${this.#serial} of ${this.#id}`;
    this.#follow(client.echo(text), 'ECHO', is(text));
  }
}

function is(expected: unknown): Check {
  return (value) => isDeepStrictEqual(value, expected);
}

function shorten(value: unknown): string {
  return String(value instanceof Error ? value.stack : JSON.stringify(value)).slice(0, 300);
}
