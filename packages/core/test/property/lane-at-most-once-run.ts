import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import {
  type FaultProxy,
  Random,
  type RedisServer,
  startFaultProxy,
  startRedis,
  waitUntil,
} from '@redis-pool/testkit';
import { createRedisPool, isRedisPoolError, type PoolStats, type RedisPool } from '../../src/index.js';

export interface AtMostOnceOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Called every second. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** How often calls ended in which way. */
export interface Tally {
  rounds: number;
  acknowledged: number;
  maybeExecuted: number;
  notExecuted: number;
  aborted: number;
}

export interface AtMostOnceReport {
  readonly tally: Tally;
  /** What should not have happened, one line each. */
  readonly wrong: readonly string[];
  readonly stats: PoolStats;
  readonly elapsedMs: number;
}

type Kind = 'single' | 'pipeline' | 'transaction';
type End = 'open' | 'acknowledged' | 'maybeExecuted' | 'notExecuted' | 'aborted';

/** One call that increments counters of its own, `size` times in all. */
interface Call {
  readonly id: number;
  readonly kind: Kind;
  readonly size: number;
  end: End;
  how: string;
}

const TIMEOUT_MS = 150;
const RECONNECT = { minDelayMs: 1, maxDelayMs: 4 };
const VERIFY_AT_ONCE = 500;

/**
 * Round after round: calls that increment counters, and a fault in the middle of them. In the end the server's
 * counters have to agree with what each caller was told.
 */
export async function runAtMostOnce(options: AtMostOnceOptions): Promise<AtMostOnceReport> {
  const server = await startRedis();
  const proxy = await startFaultProxy({ target: server });
  const pool = createRedisPool({
    name: `once-${options.seed}`,
    url: proxy.url,
    commandTimeoutMs: TIMEOUT_MS,
    connectTimeoutMs: 100,
    reconnect: RECONNECT,
  });
  try {
    return await new Run(options, server, proxy, pool).run();
  } finally {
    pool.destroy();
    await proxy.close();
    await server.stop();
  }
}

class Run {
  readonly #options: AtMostOnceOptions;
  readonly #server: RedisServer;
  readonly #proxy: FaultProxy;
  readonly #pool: RedisPool;
  readonly #random: Random;
  readonly #calls: Call[] = [];
  readonly #wrong: string[] = [];
  #rounds = 0;

  constructor(options: AtMostOnceOptions, server: RedisServer, proxy: FaultProxy, pool: RedisPool) {
    this.#options = options;
    this.#server = server;
    this.#proxy = proxy;
    this.#pool = pool;
    this.#random = new Random(options.seed);
  }

  async run(): Promise<AtMostOnceReport> {
    const { rounds, onProgress } = this.#options;
    const startedAt = performance.now();
    const elapsed = () => (performance.now() - startedAt) / 1_000;
    const progress = setInterval(() => onProgress?.(progressLine(this.#tally(), elapsed())), 1_000);
    try {
      await this.#pool.ready();
      for (; this.#rounds < rounds; this.#rounds += 1) await this.#round();
    } finally {
      clearInterval(progress);
    }
    await waitUntil(() => this.#pool.stats().pending.commands === 0, { what: 'nothing is pending' });
    await this.#verify();
    const elapsedMs = performance.now() - startedAt;
    return { tally: this.#tally(), wrong: this.#wrong, stats: this.#pool.stats(), elapsedMs };
  }

  async #round(): Promise<void> {
    const random = this.#random;
    const settled: Promise<void>[] = [];
    const callSome = () => {
      for (let count = random.integer(0, 8); count > 0; count -= 1) settled.push(this.#call());
    };
    callSome();
    if (random.chance(0.5)) await nextTurn();
    const fault = random.pick(this.#faults)();
    callSome();
    if (random.chance(0.3)) await nextTurn();
    callSome();
    await fault;
    callSome();
    // What came after the fault may be stuck behind it as well.
    await this.#proxy.heal();
    await Promise.all(settled);
    await this.#untilUp();
  }

  async #untilUp(): Promise<void> {
    await waitUntil(() => this.#pool.stats().lanes[0]?.up === true, {
      what: `the lane is up after round ${this.#rounds}`,
    });
  }

  // ---- calls ----

  #call(): Promise<void> {
    const random = this.#random;
    const kind = random.pick(['single', 'single', 'pipeline', 'transaction'] as const);
    const call: Call = {
      id: this.#calls.length,
      kind,
      size: kind === 'single' ? 1 : random.integer(1, 6),
      end: 'open',
      how: '',
    };
    this.#calls.push(call);
    const controller = random.chance(0.05) ? new AbortController() : undefined;
    const client = controller === undefined ? this.#pool : this.#pool.scope({ signal: controller.signal });
    const settled = this.#send(client, call).then(
      (replies) => this.#acknowledge(call, replies),
      (error: unknown) => this.#reject(call, error, controller?.signal),
    );
    if (controller !== undefined) setTimeout(() => controller.abort(), random.integer(0, 5));
    return settled;
  }

  #send(client: Pick<RedisPool, 'incr' | 'pipeline' | 'multi'>, { id, kind, size }: Call): Promise<unknown> {
    const key = (index: number) => keysOf(id)[index % 2] as string;
    if (kind === 'single') return client.incr(key(0)).then((reply) => [[null, reply]]);
    const chain = kind === 'pipeline' ? client.pipeline() : client.multi();
    for (let index = 0; index < size; index += 1) chain.incr(key(index));
    return chain.exec();
  }

  #acknowledge(call: Call, replies: unknown): void {
    call.end = 'acknowledged';
    const expected = Array.from({ length: call.size }, (_, index) => [null, Math.floor(index / 2) + 1]);
    if (JSON.stringify(replies) !== JSON.stringify(expected))
      this.#note(call, `got ${JSON.stringify(replies)}`);
  }

  #reject(call: Call, error: unknown, signal: AbortSignal | undefined): void {
    if (signal?.aborted && error === signal.reason) call.end = 'aborted';
    else if (isRedisPoolError(error) && typeof error.maybeExecuted === 'boolean') {
      call.end = error.maybeExecuted ? 'maybeExecuted' : 'notExecuted';
      call.how = error.code;
    } else this.#note(call, `rejected with ${String(error)}`);
  }

  #note({ id, kind, size, end, how }: Call, what: string): void {
    if (this.#wrong.length < 20) {
      this.#wrong.push(
        `call ${id} (${kind} of ${size}, ${end} ${how}, about round ${this.#rounds}): ${what}`,
      );
    }
  }

  // ---- faults ----

  readonly #faults: readonly (() => Promise<void>)[] = [
    async () => this.#proxy.swallowRepliesThenReset({ afterBytes: this.#random.integer(1, 60) }),
    async () => this.#proxy.reset(),
    async () => {
      await sleep(this.#random.integer(0, 3));
      this.#proxy.reset();
    },
    async () => this.#proxy.halfClose(),
    async () => this.#proxy.garbage('?garbage\r\n'),
    () => this.#stall('toServer', 'reset'),
    () => this.#stall('toServer', 'heal'),
    () => this.#stall('toClient', 'reset'),
    () => this.#stall('toClient', 'heal'),
    () => this.#split(),
    () => this.#dropThenReset(),
    () => this.#kill(),
    () => this.#refuseForAWhile(),
    () => this.#acceptAndResetForAWhile(),
    () => this.#rarely(() => this.#swallowUntilTimeout()),
    () => this.#rarely(() => this.#refuseUntilTimeout()),
    () => this.#rarely(() => this.#fillTheSocket()),
    () => this.#rarely(() => this.#freezeForAWhile()),
  ];

  /** Faults that take long: now and then is enough. */
  #rarely(fault: () => Promise<void>): Promise<void> {
    return this.#random.chance(0.2) ? fault() : Promise.resolve(this.#proxy.reset());
  }

  async #stall(direction: 'toServer' | 'toClient', end: 'reset' | 'heal'): Promise<void> {
    this.#proxy.stallAfter(this.#random.integer(0, 300), direction);
    await sleep(this.#random.integer(0, 6));
    if (end === 'reset') this.#proxy.reset();
    else await this.#proxy.heal();
  }

  /** The connection ends in the middle of a command, of a reply, or of a transaction. */
  async #split(): Promise<void> {
    this.#proxy.split({ maxBytes: this.#random.integer(1, 12) });
    for (let turns = this.#random.integer(1, 40); turns > 0; turns -= 1) await nextTurn();
    this.#proxy.reset();
  }

  async #dropThenReset(): Promise<void> {
    this.#proxy.drop('toServer');
    await sleep(this.#random.integer(0, 3));
    this.#proxy.reset();
  }

  async #kill(): Promise<void> {
    await this.#server.adminCommand('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  }

  async #refuseForAWhile(): Promise<void> {
    this.#proxy.refuse();
    this.#proxy.reset();
    await sleep(this.#random.integer(0, 10));
    await this.#proxy.accept();
  }

  async #acceptAndResetForAWhile(): Promise<void> {
    await this.#proxy.acceptAndReset();
    this.#proxy.reset();
    await sleep(this.#random.integer(0, 10));
  }

  async #swallowUntilTimeout(): Promise<void> {
    this.#proxy.swallowReplies();
    await sleep(TIMEOUT_MS + this.#random.integer(0, 20));
  }

  async #refuseUntilTimeout(): Promise<void> {
    this.#proxy.refuse();
    this.#proxy.reset();
    // Around the deadline of what waits: some of it fails, and the rest is sent.
    await sleep(TIMEOUT_MS - this.#random.integer(0, 20));
    await this.#proxy.accept();
  }

  /** The socket takes no more: what follows is not sent, and has to survive. */
  async #fillTheSocket(): Promise<void> {
    this.#proxy.stallAfter(0, 'toServer');
    const value = 'x'.repeat(1_000_000);
    const ballast = Array.from({ length: 9 }, () => this.#pool.set('ballast', value).catch(() => {}));
    await sleep(this.#random.integer(5, 20));
    if (this.#random.chance(0.7)) this.#proxy.reset();
    else await this.#proxy.heal();
    await Promise.all(ballast);
  }

  async #freezeForAWhile(): Promise<void> {
    this.#server.freeze();
    await sleep(this.#random.integer(10, TIMEOUT_MS + 30));
    if (this.#random.chance(0.5)) this.#proxy.reset();
    this.#server.thaw();
  }

  // ---- the end ----

  async #verify(): Promise<void> {
    for (let from = 0; from < this.#calls.length; from += VERIFY_AT_ONCE) {
      const calls = this.#calls.slice(from, from + VERIFY_AT_ONCE);
      const counters = (await this.#server.adminCommand(
        'MGET',
        ...calls.flatMap(({ id }) => keysOf(id)),
      )) as unknown[];
      for (const [index, call] of calls.entries()) {
        this.#verifyCall(call, Number(counters[2 * index]) + Number(counters[2 * index + 1]));
      }
    }
  }

  #verifyCall(call: Call, ran: number): void {
    const { kind, size, end } = call;
    const isWhole = ran === 0 || ran === size;
    const isRight = {
      open: false,
      acknowledged: ran === size,
      notExecuted: ran === 0,
      maybeExecuted: ran <= size,
      aborted: ran <= size,
    }[end];
    if (!isRight) this.#note(call, `the server ran ${ran} of ${size}`);
    if (kind === 'transaction' && !isWhole)
      this.#note(call, `half a transaction: the server ran ${ran} of ${size}`);
  }

  #tally(): Tally {
    const tally = { rounds: this.#rounds, acknowledged: 0, maybeExecuted: 0, notExecuted: 0, aborted: 0 };
    for (const { end } of this.#calls) if (end !== 'open') tally[end] += 1;
    return tally;
  }
}

function keysOf(id: number): [string, string] {
  return [`call:${id}:even`, `call:${id}:odd`];
}

export function progressLine(tally: Tally, seconds: number): string {
  const { rounds, acknowledged, maybeExecuted, notExecuted, aborted } = tally;
  return `${rounds} rounds in ${seconds.toFixed(0)} s: ${acknowledged} acknowledged, ${maybeExecuted} maybe executed, ${notExecuted} not executed, ${aborted} aborted`;
}
