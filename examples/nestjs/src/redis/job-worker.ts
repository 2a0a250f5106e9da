import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisPoolError, type RedisPool, type RequestRedis } from '@redis-pool/core';
import type { JobSettings } from '../settings.js';
import { FEED_CHANNEL, feedMessage } from './feed.js';
import { JOB_QUEUE, type JobOrder, jobKey } from './jobs.js';

/** The work itself; it stops when the signal aborts. */
export type Work = (order: JobOrder, signal: AbortSignal) => Promise<string>;

interface Logger {
  error(fields: object, message: string): void;
}

/** A job as the queue has it. */
interface Entry extends JobOrder {
  readonly entryId: string;
  readonly id: string;
}

/** `[id, [field, value, ...]]`, as streams give it. */
type RawEntry = [id: string, fields: string[]];

const GROUP = 'workers';
const MAX_ATTEMPTS = 3;
const KEEP_SECONDS = 86_400;
const PAUSE_AFTER_ERROR_MS = 1_000;

/**
 * Works on the queue, one job at a time.
 *
 * A consumer group of a stream, not a list: a job that was handed to a worker stays pending until it is
 * acknowledged. Of one that died, another worker takes it over, so that no job is lost; and because acknowledging and
 * storing the result are one script, there is one result even when two workers had it.
 */
export class JobWorker {
  readonly #pool: RedisPool;
  readonly #claimMs: number;
  readonly #work: Work;
  readonly #log: Logger;
  readonly #consumer = hostname();
  readonly #stopping = new AbortController();
  /** The pool until `stop()`, for taking jobs: also a command that waits for a connection ends then. */
  readonly #taking: RequestRedis;
  /** Where the search for orphaned jobs goes on, and when the next one begins. */
  #orphans = { cursor: '0-0', at: 0 };

  constructor(pool: RedisPool, { claimMs }: Pick<JobSettings, 'claimMs'>, work: Work, log: Logger) {
    this.#pool = pool;
    this.#claimMs = claimMs;
    this.#work = work;
    this.#log = log;
    this.#taking = pool.scope({ signal: this.#stopping.signal, label: 'a job worker' });
  }

  /** Works until `stop()` or until the pool closes. Never rejects. */
  async run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#createGroup();
        await this.#workOn();
      } catch (error) {
        if (this.#stopping.signal.aborted || isClosing(error)) return;
        this.#log.error({ err: error }, 'The job worker failed, and goes on');
        await sleep(PAUSE_AFTER_ERROR_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
  }

  /** Takes no further job. A job that is being worked on is handed back, for the next worker. */
  stop(): void {
    this.#stopping.abort();
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#taking.xgroup('CREATE', JOB_QUEUE, GROUP, '0', 'MKSTREAM');
    } catch (error) {
      if (!String(error).includes('BUSYGROUP')) throw error;
    }
  }

  async #workOn(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const raw = (await this.#takeOrphan()) ?? (await this.#waitForEntry());
      if (raw !== undefined) await this.#process(parseEntry(raw));
    }
  }

  /** A job of a worker that was not heard of for a while; looks for one at the start and now and then. */
  async #takeOrphan(): Promise<RawEntry | undefined> {
    if (performance.now() < this.#orphans.at) return undefined;
    const { cursor: from } = this.#orphans;
    const [cursor, [entry]] = (await this.#taking.xautoclaim(
      ...([JOB_QUEUE, GROUP, this.#consumer, this.#claimMs, from, 'COUNT', 1] as const),
    )) as [string, RawEntry[]];
    const isThrough = cursor === '0-0' && entry === undefined;
    this.#orphans = { cursor, at: isThrough ? performance.now() + this.#claimMs / 2 : 0 };
    return entry;
  }

  /** Waits at the server, on a connection of its own. When the pool closes it rejects, and loses no job. */
  async #waitForEntry(): Promise<RawEntry | undefined> {
    const blockMs = Math.max(1, Math.round(this.#claimMs / 2));
    const reply = (await this.#taking.xreadgroup(
      ...(['GROUP', GROUP, this.#consumer, 'COUNT', 1, 'BLOCK', blockMs, 'STREAMS', JOB_QUEUE, '>'] as const),
    )) as [stream: string, entries: RawEntry[]][] | null;
    return reply?.[0]?.[1][0];
  }

  async #process(entry: Entry): Promise<void> {
    const [attempts] = await this.#pool
      .multi()
      .hincrby(jobKey(entry.id), 'attempts', 1)
      .hset(jobKey(entry.id), 'state', 'running')
      .execOrThrow();
    // It has brought its workers down every time.
    if (Number(attempts) > MAX_ATTEMPTS) {
      await this.#finish(entry, 'failed', `Given up after ${MAX_ATTEMPTS} attempts`);
      return;
    }
    const heartbeat = setInterval(() => this.#keep(entry), this.#claimMs / 3);
    try {
      await this.#finish(entry, 'done', await this.#work(entry, this.#stopping.signal));
    } catch (error) {
      if (isRedisPoolError(error)) throw error;
      if (this.#stopping.signal.aborted) await this.#handBack(entry);
      else await this.#finish(entry, 'failed', error instanceof Error ? error.message : 'Failed');
    } finally {
      clearInterval(heartbeat);
    }
  }

  /** Tells that somebody works on it. */
  async #keep({ entryId }: Entry): Promise<void> {
    await this.#pool
      .xclaim(JOB_QUEUE, GROUP, this.#consumer, 0, entryId, 'JUSTID')
      .catch((error: unknown) => this.#log.error({ err: error }, 'A job could not be kept'));
  }

  /** As if nothing had been heard of it for long enough: it is the next one that somebody takes over. */
  async #handBack({ entryId, id }: Entry): Promise<void> {
    await this.#pool
      .multi()
      .xclaim(JOB_QUEUE, GROUP, this.#consumer, 0, entryId, 'IDLE', this.#claimMs, 'JUSTID')
      .hincrby(jobKey(id), 'attempts', -1)
      .hset(jobKey(id), 'state', 'queued')
      .execOrThrow();
  }

  async #finish({ id, entryId, text }: Entry, state: 'done' | 'failed', result: string): Promise<void> {
    const message = feedMessage('job', `Job "${text}" is ${state}: ${result}`);
    await this.#pool.finishJob(
      ...([JOB_QUEUE, jobKey(id), GROUP, entryId] as const),
      ...([state, result, KEEP_SECONDS, FEED_CHANNEL, message] as const),
    );
  }
}

function parseEntry([entryId, fields]: RawEntry): Entry {
  const values = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) {
    values.set(fields[index] as string, fields[index + 1] as string);
  }
  const { id = '', text = '', durationMs = '0' } = Object.fromEntries(values);
  return { entryId, id, text, durationMs: Number(durationMs) };
}

function isClosing(error: unknown): boolean {
  return isRedisPoolError(error) && (error.code === 'RP_ERR_CLOSING' || error.code === 'RP_ERR_CLOSED');
}
